//! Start-up: state checked → bus → `on_start` → subscriptions confirmed → ready.

use std::sync::Arc;

use daebus_caller::Link;
use daebus_caller::wire::ServiceName;
use uuid::Uuid;

use super::attach::{self, Attached, Bound};
use super::{Daebus, Service, banner, bus, hooks};
use crate::answer::{Actions, listen};
use crate::context::Core;
use crate::error::{Error, Result};
use crate::registry::Registry;
use crate::shutdown::Shutdown;
use crate::workers::Workers;

pub(super) async fn start(mut app: Daebus) -> Result<Service> {
    let name = ServiceName::new(&app.name)?;
    let setup = |mistakes| Error::Setup { service: name.to_string(), mistakes };
    attach::announce(&app.attachments, &mut app.states);
    let registry = Registry::new(app.blueprints, &app.layers, &app.states).map_err(setup)?;
    let bound = Attached::new(app.attachments, &registry).map_err(setup)?.bind().await?;
    let bus = bus::connect(name.as_str(), app.bus.as_deref()).await?;
    let link = Link::new(Arc::clone(&bus));
    let core = Arc::new(Core {
        instance: format!("{name}@{:08x}", Uuid::new_v4().as_fields().0).into(),
        service: name,
        bus: Arc::clone(&bus),
        outbox: link.outbox().clone(),
        link,
        states: app.states,
        shutdown: Shutdown::default(),
    });
    let registry = Arc::new(registry);
    let workers = Workers::default();
    let actions = Actions::new(Arc::clone(&core), Arc::clone(&registry), app.limits, workers.clone());
    let mut service = Service::new(core, registry, workers, actions, app.drain);
    match open(&mut service, bound, app.limits).await {
        Ok(()) => {
            banner::announce(service.core(), service.registry());
            Ok(service)
        }
        Err(error) => {
            service.abandon().await;
            Err(error)
        }
    }
}

async fn open(service: &mut Service, bound: Bound, limits: crate::answer::Limits) -> Result<()> {
    hooks::start(service.core(), service.registry(), limits.timeout).await?;
    // Listeners first: what a request makes this service broadcast is heard by its own listeners too.
    let registry = Arc::clone(service.registry());
    for (topic, endpoint) in &registry.listeners {
        let core = Arc::clone(service.core());
        let intake = listen(core, topic, endpoint.clone(), limits, service.workers().clone()).await?;
        service.keep(intake);
    }
    // Without an action there is nothing to answer with, and another process may serve under this name.
    if registry.has_actions() {
        let intake = service.actions().subscribe().await?;
        service.keep(intake);
    }
    let servers = bound.serve(service.core(), &registry, limits.timeout, service.workers());
    service.keep_servers(servers);
    Ok(())
}
