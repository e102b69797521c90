//! Start-up: state checked → bus → `on_start` → subscriptions confirmed → ready.

use std::sync::Arc;

use daebus_caller::Link;
use daebus_caller::bus::Bus;
use daebus_caller::wire::ServiceName;
use uuid::Uuid;

use super::attach::{self, Attached, Bound, Reach};
use super::{Daebus, Service, banner, bus, hooks};
use crate::answer::{Actions, listen};
use crate::clock::Clock;
use crate::context::Core;
use crate::error::{Error, Result};
use crate::extensions::Extensions;
use crate::panics::Panics;
use crate::registry::Registry;
use crate::schedule::Schedules;
use crate::shutdown::Shutdown;
use crate::tasks::Tasks;
use crate::threads::{AutoStart, Threads};
use crate::workers::Workers;

/// What an application is put into: the world, or a test.
#[derive(Debug)]
pub(crate) struct Surroundings {
    /// `None`: the one that the application or the environment names.
    pub(crate) bus: Option<Arc<dyn Bus>>,
    pub(crate) clock: Clock,
    pub(crate) panics: Panics,
    pub(crate) auto_start: AutoStart,
    pub(crate) reach: Reach,
}

impl Surroundings {
    /// The world.
    pub(super) fn real() -> Self {
        Self {
            bus: None,
            clock: Clock::default(),
            panics: Panics::default(),
            auto_start: AutoStart::AsSaid,
            reach: Reach::Addresses,
        }
    }
}

pub(super) async fn start(mut app: Daebus, surroundings: Surroundings) -> Result<Service> {
    let name = ServiceName::new(&app.name)?;
    let setup = |mistakes| Error::Setup { service: name.to_string(), mistakes };
    let Surroundings { bus, clock, panics, auto_start, reach } = surroundings;
    #[cfg(feature = "testing")]
    if reach == Reach::Inside {
        attach::complete(&mut app.attachments, &app.blueprints);
    }
    attach::announce(&app.attachments, &mut app.states);
    let registry = Registry::new(app.blueprints, &app.layers, &app.states).map_err(setup)?;
    let bound = Attached::new(app.attachments, &registry).map_err(setup)?.bind(reach).await?;
    let bus = match bus {
        Some(bus) => bus,
        None => bus::connect(name.as_str(), app.bus.as_deref()).await?,
    };
    let link = Link::new(Arc::clone(&bus));
    let (workers, shutdown) = (Workers::default(), Shutdown::default());
    let schedules = Arc::new(Schedules::new(&registry));
    let threads = Arc::new(Threads::new(&registry, auto_start, app.drain));
    let tasks =
        Tasks::new(schedules.clone(), threads.clone(), workers.clone(), shutdown.clone(), panics.clone());
    let mut rooms = Extensions::default();
    rooms.insert(tasks.clone());
    let core = Arc::new(Core {
        instance: format!("{name}@{:08x}", Uuid::new_v4().as_fields().0).into(),
        service: name,
        bus: Arc::clone(&bus),
        outbox: link.outbox().clone(),
        link,
        states: app.states,
        shutdown,
        clock,
        panics,
        rooms,
    });
    let registry = Arc::new(registry);
    let actions = Actions::new(Arc::clone(&core), Arc::clone(&registry), app.limits, workers.clone());
    let mut service = Service::new(core, registry, workers, actions, tasks, app.drain);
    match open(&mut service, bound, app.limits).await {
        Ok(()) => {
            banner::announce(&service);
            schedules.start(service.core(), service.registry(), service.workers());
            threads.watch(service.core(), service.registry(), service.workers());
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
