//! A running service, and how it stops.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use daebus_caller::deadline::Deadline;
use futures_util::future::join;
use tracing::{info, warn};

use super::attach::Servers;
use super::hooks;
use crate::blueprint::Registry;
use crate::dispatch::{Actions, Intakes};
use crate::error::{Error, Result};
use crate::events::Events;
use crate::feature::{FeatureContext, Features};
use crate::handler::Core;
use crate::handler::extract::{Broadcast, Cache, Callers};
#[cfg(feature = "testing")]
use crate::http::Server;
use crate::runtime::{Shutdown, Workers};
use crate::socket::Sockets;
use crate::tasks::Tasks;

/// How long replies without a receiver are repeated after the drain time.
const LAST_REPLIES: Duration = Duration::from_secs(2);

/// How long `on_stop` handlers may take each, beyond the drain time.
const ON_STOP: Duration = Duration::from_secs(10);

/// A running service. Dropping it ends the service without a drain; [`stop`](Self::stop) is the way to end it well.
#[must_use = "a service ends when this is dropped"]
pub struct Service {
    core: Arc<Core>,
    registry: Arc<Registry>,
    workers: Workers,
    actions: Actions,
    tasks: Tasks,
    features: Features,
    cx: FeatureContext,
    intakes: Intakes,
    servers: Servers,
    drain: Duration,
}

impl Service {
    pub(super) fn new(
        core: Arc<Core>,
        registry: Arc<Registry>,
        workers: Workers,
        actions: Actions,
        (features, cx): (Features, FeatureContext),
        drain: Duration,
    ) -> Self {
        let (tasks, intakes, servers) = (cx.tasks(), Intakes::open(), Servers::default());
        Self { core, registry, workers, actions, tasks, features, cx, intakes, servers, drain }
    }

    /// The service's name.
    pub fn name(&self) -> &str {
        self.core.service.as_str()
    }

    /// Where HTTP is answered; `None` when no [`Http`](crate::Http) is attached.
    pub fn http_addr(&self) -> Option<SocketAddr> {
        self.servers.http_addr()
    }

    /// Where WebSocket clients connect; `None` when no [`WebSocket`](crate::WebSocket) is attached.
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        self.servers.socket_addr()
    }

    /// The same with scheme and path, for the log.
    pub(super) fn socket_url(&self) -> Option<String> {
        self.servers.socket_url()
    }

    /// The WebSocket clients; `None` when no [`WebSocket`](crate::WebSocket) is attached.
    pub fn sockets(&self) -> Option<Sockets> {
        self.servers.sockets()
    }

    /// Callers of this and of other services, which share this service's connection to the bus.
    pub fn callers(&self) -> Callers {
        Callers::new(self.core.link.clone())
    }

    /// The service's threads and schedules by name, and work beside the handlers.
    pub fn tasks(&self) -> Tasks {
        self.tasks.clone()
    }

    /// Listens to channels while the service runs.
    pub fn events(&self) -> Events {
        self.cx.events()
    }

    /// Publishes to channels.
    pub fn broadcast(&self) -> Broadcast {
        self.cx.broadcast()
    }

    /// Whether every subscription is confirmed; with `wait_for_bus(false)` that may take a while.
    pub fn is_ready(&self) -> bool {
        self.core.readiness.is_ready()
    }

    /// Waits until every subscription is confirmed, for as long as the bus is away.
    pub async fn ready(&self) {
        self.core.readiness.ready().await;
    }

    /// The key-value store on the service's bus.
    pub fn cache(&self) -> Cache {
        Cache::new(Arc::clone(&self.core.bus))
    }

    /// Asks the service to stop, or waits until a handler does.
    pub fn shutdown(&self) -> Shutdown {
        self.core.shutdown.clone()
    }

    /// Stops the service: notifies its features, refuses further requests with `shutting_down`, leaves its channels, waits
    /// for running handlers, runs `on_stop`, stops the features, waits within the drain time for replies that have no
    /// receiver yet, and closes the bus.
    ///
    /// If no other instance takes requests, the service leaves its channel after its handlers have ended.
    ///
    /// # Errors
    ///
    /// Returns an error if handlers were still running after the drain time. They are cut off, their callers get
    /// `interrupted`, and `on_stop` runs all the same.
    pub async fn stop(self) -> Result<()> {
        info!("{} is stopping", self.core.service);
        self.core.shutdown.request();
        self.features.before_stop(&self.cx).await;
        self.servers.drain();
        let drained_by = Deadline::after(self.drain);
        join(self.actions.drain(), self.intakes.leave()).await;
        let result =
            if self.workers.drain(drained_by.remaining()).await { Ok(()) } else { Err(self.cut_off().await) };
        self.actions.end().await;
        hooks::stop(&self.core, &self.registry, ON_STOP).await;
        self.features.stop(&self.cx).await;
        // Those of handlers that were cut off at the end of the drain time get a moment as well.
        self.deliver(drained_by.max(Deadline::after(LAST_REPLIES))).await;
        let membership = self.actions.membership();
        membership.leave().await;
        let result = match membership.taken() {
            Some(taken) => Err(taken.into_error(self.core.service.as_str())),
            None => result,
        };
        self.core.bus.close().await;
        match &result {
            Ok(()) => info!("{} has stopped", self.core.service),
            Err(error) => warn!("{error}"),
        }
        result
    }

    /// Waits for the replies that are repeated since their callers have no inbox: after a restart of Redis, callers may
    /// reconnect later than the service.
    async fn deliver(&self, deadline: Deadline) {
        if tokio::time::timeout_at(deadline.instant(), self.core.outbox.settled()).await.is_err() {
            warn!("some replies had no receiver within the drain time");
        }
    }

    async fn cut_off(&self) -> Error {
        let handlers = self.registry.in_flight().map(|(source, count)| format!("{count}× {source}"));
        let others = self.workers.entered().into_iter().map(|(name, count)| format!("{count}× {name}"));
        let handlers = handlers.chain(others).collect::<Vec<_>>().join(", ");
        self.actions.interrupt().await;
        self.workers.cut_off();
        Error::Drain { service: self.core.service.to_string(), handlers, after: self.drain }
    }

    /// The HTTP server.
    #[cfg(feature = "testing")]
    pub(crate) fn http(&self) -> Option<&Server> {
        self.servers.http()
    }

    /// The server that leads to the WebSockets, and their path there.
    #[cfg(feature = "testing")]
    pub(crate) fn web_socket(&self) -> Option<(&Server, &str)> {
        self.servers.web_socket()
    }

    /// Ends a service that didn't come up.
    pub(super) async fn abandon(self) {
        self.core.shutdown.request();
        self.intakes.cut_off();
        self.actions.cut_off();
        self.workers.cut_off();
        self.features.stop(&self.cx).await;
        self.actions.membership().leave().await;
        self.core.bus.close().await;
    }

    pub(super) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    pub(crate) fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    pub(super) fn workers(&self) -> &Workers {
        &self.workers
    }

    pub(super) fn actions(&self) -> &Actions {
        &self.actions
    }

    pub(super) fn intakes(&self) -> &Intakes {
        &self.intakes
    }

    pub(super) fn features(&self) -> (&Features, &FeatureContext) {
        (&self.features, &self.cx)
    }

    pub(super) fn keep_servers(&mut self, servers: Servers) {
        self.servers = servers;
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.core.shutdown.request();
        self.actions.cut_off();
        self.workers.cut_off();
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("name", &self.name()).finish_non_exhaustive()
    }
}
