//! The start of a service: validation → bus → features → `on_start` → subscriptions confirmed → ready.

use std::sync::Arc;
use std::time::Duration;

use daebus_caller::bus::{Bus, BusState, Topic};
use daebus_caller::wire::ServiceName;
use daebus_caller::{BusError, InstanceId, Link};
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::attach::{self, Attached, Binding, Bound, Servers};
use super::builder::Daebus;
use super::service::Service;
use super::{banner, bus, hooks};
use crate::blueprint::Registry;
use crate::dispatch::{Actions, HandlerLimits, Intakes, listen};
use crate::error::{Error, Mistake, Result};
use crate::events::Desk;
use crate::feature::FeatureContext;
use crate::handler::{About, Admission, Core, Extensions, Identity};
use crate::http::Metrics;
use crate::presence::{Hooks, Join, Membership};
use crate::runtime::{Clock, Panics, Readiness, Shutdown, Workers};
use crate::tasks::{AutoStart, Schedules, Tasks, Threads};

/// The default drain time: the grace period of most orchestrators.
const DRAIN: Duration = Duration::from_secs(30);

impl Daebus {
    /// Starts the service and returns once it is ready: bus connected, features started, `on_start` done, subscriptions
    /// confirmed.
    ///
    /// If the Redis server can't be reached, or the connection is lost during the start, this method waits for the server and
    /// logs that once. With [`wait_for_bus(false)`](Self::wait_for_bus) the service starts without it.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Setup`] if the configuration of the application is invalid (all mistakes are reported together),
    /// [`Error::Bind`] if an address can't be bound, [`Error::Bus`] if the bus refuses the connection or a subscription,
    /// [`Error::Feature`] or [`Error::OnStart`] if a feature or an `on_start` handler fails, and other variants of [`Error`] as
    /// documented there.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the start is abandoned: features that have started are not stopped.
    pub async fn start(self) -> Result<Service> {
        Box::pin(start(self, Environment::production())).await
    }

    /// Starts the service in a test environment.
    #[cfg(feature = "testing")]
    pub(crate) async fn start_in(self, environment: Environment) -> Result<Service> {
        Box::pin(start(self, environment)).await
    }
}

/// The environment of an application: production, or a test.
#[derive(Debug)]
pub(crate) struct Environment {
    /// `None` for the bus that the application or an environment variable configures.
    pub(crate) bus: Option<Arc<dyn Bus>>,
    pub(crate) clock: Clock,
    pub(crate) panics: Panics,
    pub(crate) auto_start: AutoStart,
    pub(crate) binding: Binding,
    /// Cancelled to interrupt the start. Whatever has started is stopped.
    pub(crate) interrupt: CancellationToken,
}

impl Environment {
    pub(super) fn production() -> Self {
        Self {
            bus: None,
            clock: Clock::default(),
            panics: Panics::default(),
            auto_start: AutoStart::AsSaid,
            binding: Binding::Configured,
            interrupt: CancellationToken::new(),
        }
    }
}

pub(super) async fn start(mut app: Daebus, environment: Environment) -> Result<Service> {
    let mut mistakes = app.features.mistakes();
    #[cfg(feature = "args")]
    mistakes.extend(app.settle());
    let shown_name = app.shown_name();
    let setup = |mistakes| Error::Setup { service: shown_name.clone(), mistakes };
    let name = ServiceName::new(&app.name).map_err(Error::from);
    let instance_id = app.instance_id.as_deref().map(InstanceId::new).transpose();
    let instance_id = instance_id.unwrap_or_else(|error| {
        mistakes.push(Mistake::new(error.to_string()));
        None
    });
    let drain = app.drain.unwrap_or(DRAIN);
    let Environment { bus, clock, panics, auto_start, binding, interrupt } = environment;
    #[cfg(feature = "testing")]
    if binding == Binding::InMemory {
        attach::complete(&mut app.attachments, &app.blueprints);
    }
    attach::announce(&app.attachments, &mut app.states);
    let (registry, found) = Registry::new(app.blueprints, &app.layers, &app.states);
    mistakes.extend(found);
    let (attached, found) = Attached::new(app.attachments, &registry);
    mistakes.extend(found);
    let url = match &bus {
        Some(_) => Ok(None),
        None => bus::choose(&shown_name, app.bus.as_deref()),
    };
    let (name, url) = match (name, url) {
        (Ok(name), Ok(url)) if mistakes.is_empty() => (name, url),
        (name, url) => return Err(report(setup, mistakes, [name.err(), url.err()])),
    };
    let (workers, shutdown) = (Workers::default(), Shutdown::default());
    let bound = attached.bind(binding, &workers).await?;
    let interrupted = || Error::Interrupted { service: name.to_string() };
    let bus = match bus {
        Some(bus) => bus,
        None => {
            let connecting = bus::connect(name.as_str(), url, app.waits_for_bus);
            interrupt.run_until_cancelled(connecting).await.ok_or_else(interrupted)??
        }
    };
    let link = Link::new(Arc::clone(&bus));
    let schedules = Arc::new(Schedules::new(&registry.schedules, app.states.clone()));
    let threads = Arc::new(Threads::new(&registry.threads, auto_start, drain));
    let tasks =
        Tasks::new(schedules.clone(), threads.clone(), workers.clone(), shutdown.clone(), panics.clone());
    let mut provided = Extensions::default();
    provided.insert(tasks.clone());
    provided.insert(Desk::new(app.limits, workers.clone()));
    let core = Arc::new(Core {
        about: About::new(app.version, app.description, &clock),
        identity: Identity::new(&name, instance_id),
        service: name.clone(),
        bus: Arc::clone(&bus),
        outbox: link.outbox().clone(),
        link,
        states: app.states,
        shutdown,
        readiness: Readiness::default(),
        clock,
        panics,
        admission: Admission::new(app.limits.concurrency, app.limits.backlog),
        provided,
    });
    let registry = Arc::new(registry);
    let hooks = Hooks::start(&core, &registry, app.limits.timeout, &workers);
    let membership = Membership::new(&core, registry.action_names(), hooks);
    let actions = Actions::new(
        Arc::clone(&core),
        Arc::clone(&registry),
        (membership, app.everyone),
        app.limits,
        workers.clone(),
    );
    let cx = FeatureContext::new(&core, tasks)
        .map_err(|failure| setup(vec![Mistake::new(failure.to_string())]))?;
    let mut service = Service::new(core, registry, workers, actions, (app.features, cx.clone()), drain);
    let opening = open(&service, app.limits, app.waits_for_bus);
    let opened = interrupt.run_until_cancelled(opening).await.unwrap_or_else(|| Err(interrupted()));
    match opened {
        Ok(()) => {
            let servers = serve(bound, &service, app.limits.timeout);
            service.keep_servers(servers);
            banner::announce(&service, app.waits_for_bus);
            schedules.start(service.core(), &service.registry().schedules, service.workers());
            threads.watch(service.core(), &service.registry().threads, service.workers());
            app.repeaters.start(&cx, service.workers());
            Ok(service)
        }
        Err(error) => {
            service.abandon().await;
            Err(error)
        }
    }
}

/// Opens the routes of the servers.
fn serve(bound: Bound, service: &Service, timeout: Duration) -> Servers {
    let built_ins = service.actions().built_ins().clone();
    let metrics: Metrics = Arc::new(move || built_ins.metrics());
    bound.serve(service.core(), service.registry(), timeout, service.workers(), &metrics)
}

/// Combines all mistakes into one error. A single error is returned unchanged.
fn report(
    setup: impl FnOnce(Vec<Mistake>) -> Error,
    mut mistakes: Vec<Mistake>,
    errors: [Option<Error>; 2],
) -> Error {
    let mut errors: Vec<Error> = errors.into_iter().flatten().collect();
    if mistakes.is_empty() && errors.len() == 1 {
        return errors.remove(0);
    }
    for error in errors {
        match error {
            Error::Setup { mistakes: found, .. } => mistakes.extend(found),
            error => mistakes.push(Mistake::new(error.to_string())),
        }
    }
    setup(mistakes)
}

async fn open(service: &Service, limits: HandlerLimits, waits_for_bus: bool) -> Result<()> {
    let (features, cx) = service.features();
    features.start(cx, limits.timeout).await.map_err(|(feature, failure)| Error::Feature {
        service: service.name().to_owned(),
        feature,
        reason: failure.to_string(),
    })?;
    hooks::start(service.core(), service.registry(), limits.timeout).await?;
    let entrance = Entrance {
        core: Arc::clone(service.core()),
        registry: Arc::clone(service.registry()),
        actions: service.actions().clone(),
        workers: service.workers().clone(),
        intakes: service.intakes().clone(),
        limits,
    };
    if waits_for_bus {
        return entrance.join(Join::UnlessRefused).await;
    }
    service.workers().spawn(async move {
        match entrance.join(Join::WhenAvailable).await {
            Ok(()) => banner::ready(&entrance.core),
            // The service stopped before its bus was available.
            Err(Error::Bus(BusError::Closed)) => {}
            Err(error) => error!(%error, "the service can't join its bus"),
        }
    });
    Ok(())
}

/// Subscribes the handlers of a service to the bus.
struct Entrance {
    core: Arc<Core>,
    registry: Arc<Registry>,
    actions: Actions,
    workers: Workers,
    intakes: Intakes,
    limits: HandlerLimits,
}

impl Entrance {
    async fn join(&self, join: Join) -> Result<()> {
        // Listeners first, so that they receive broadcasts that the first requests cause.
        for listener in &self.registry.listeners {
            let how = (join, CancellationToken::new());
            let (core, workers) = (Arc::clone(&self.core), self.workers.clone());
            let listening = listen(
                core,
                Topic::parse(listener.definition.name),
                Arc::clone(listener),
                self.limits,
                workers,
                how,
            );
            self.intakes.keep(listening.await?);
        }
        let service = self.core.service.as_str();
        self.actions.join(join).await?.map_err(|taken| taken.into_error(service))?;
        self.bus_is_ready(join).await?;
        self.core.readiness.set();
        Ok(())
    }

    /// Waits for the bus, since a service without subscriptions hasn't done so yet.
    async fn bus_is_ready(&self, join: Join) -> Result<(), BusError> {
        let mut states = self.core.bus.state();
        let ready = states.wait_for(|state| *state != BusState::Away);
        tokio::select! {
            biased;
            () = self.core.shutdown.requested(), if join == Join::WhenAvailable => Err(BusError::Closed),
            state = ready => match state.as_deref() {
                Ok(BusState::Ready) => Ok(()),
                _ => Err(BusError::Closed),
            },
        }
    }
}
