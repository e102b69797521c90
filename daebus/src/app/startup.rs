//! Start-up: everything checked → bus → features → `on_start` → subscriptions confirmed → ready.

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
    /// Waits for a Redis server that can't be reached, before the first connection as well as after a connection that is
    /// lost during the start, and logs that once. [`wait_for_bus(false)`](Self::wait_for_bus) starts without it.
    ///
    /// # Errors
    ///
    /// Returns an error if the application's configuration is wrong (all errors are reported together), if the bus refuses
    /// the connection or a subscription, or if a feature or `on_start` fails.
    pub async fn start(self) -> Result<Service> {
        Box::pin(start(self, Environment::production())).await
    }

    /// Starts the service in a test environment.
    #[cfg(feature = "testing")]
    pub(crate) async fn start_in(self, environment: Environment) -> Result<Service> {
        Box::pin(start(self, environment)).await
    }
}

/// What an application is put into: the world, or a test.
#[derive(Debug)]
pub(crate) struct Environment {
    /// `None`: the one that the application or the environment names.
    pub(crate) bus: Option<Arc<dyn Bus>>,
    pub(crate) clock: Clock,
    pub(crate) panics: Panics,
    pub(crate) auto_start: AutoStart,
    pub(crate) binding: Binding,
    /// Cancelled when the start is to be given up; what has started is stopped then.
    pub(crate) interrupt: CancellationToken,
}

impl Environment {
    /// The world.
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

/// All mistakes as one error. An error that is the only one stays what it is.
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
            // The service has stopped before its bus was there.
            Err(Error::Bus(BusError::Closed)) => {}
            Err(error) => error!(%error, "the service can't join its bus"),
        }
    });
    Ok(())
}

/// What it takes to let messages in.
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
        // Listeners first: what a request makes this service broadcast is heard by its own listeners too.
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

    /// Waits for the bus: a service without subscriptions hasn't waited for it yet.
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
