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

/// The minimum time for which replies without a receiver are repeated.
const LAST_REPLIES: Duration = Duration::from_secs(2);

/// The time limit of each `on_stop` handler, in addition to the drain time.
const ON_STOP: Duration = Duration::from_secs(10);

/// A running service, returned by [`Daebus::start`](crate::Daebus::start).
///
/// Call [`stop`](Self::stop) to end the service gracefully. Dropping it ends the service without a drain.
#[must_use = "dropping a service ends it without a drain"]
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

    /// Returns the name of the service.
    pub fn name(&self) -> &str {
        self.core.service.as_str()
    }

    /// Returns the address of the HTTP server, or `None` if no [`Http`](crate::Http) is attached.
    pub fn http_addr(&self) -> Option<SocketAddr> {
        self.servers.http_addr()
    }

    /// Returns the address to which WebSocket clients connect, or `None` if no [`WebSocket`](crate::WebSocket) is attached.
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        self.servers.socket_addr()
    }

    pub(super) fn socket_url(&self) -> Option<String> {
        self.servers.socket_url()
    }

    /// Returns the WebSocket clients, or `None` if no [`WebSocket`](crate::WebSocket) is attached.
    pub fn sockets(&self) -> Option<Sockets> {
        self.servers.sockets()
    }

    /// Returns a factory for callers of this and other services. They share the service's connection to the bus.
    pub fn callers(&self) -> Callers {
        Callers::new(self.core.link.clone())
    }

    /// Returns the schedules, threads and tasks of the service.
    pub fn tasks(&self) -> Tasks {
        self.tasks.clone()
    }

    /// Returns the events of the service, to start listeners at run time.
    pub fn events(&self) -> Events {
        self.cx.events()
    }

    /// Returns a publisher of messages to channels.
    pub fn broadcast(&self) -> Broadcast {
        self.cx.broadcast()
    }

    /// Returns whether all subscriptions have been confirmed. Always `true` after a start that waits for the bus.
    pub fn is_ready(&self) -> bool {
        self.core.readiness.is_ready()
    }

    /// Waits until all subscriptions are confirmed, which may take as long as the bus is away.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe.
    pub async fn ready(&self) {
        self.core.readiness.ready().await;
    }

    /// Returns the key-value store on the bus of the service.
    pub fn cache(&self) -> Cache {
        Cache::new(Arc::clone(&self.core.bus))
    }

    /// Returns a handle that requests the service to stop, or waits for such a request.
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
    /// Returns [`Error::Drain`] if handlers are still running after the drain time. They are cut off, their callers get
    /// `interrupted`, and `on_stop` still runs. Returns [`Error::InstanceTaken`] if another process has taken over the id of
    /// this instance.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the service ends without completing the drain.
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
        // The replies of handlers that were cut off at the end of the drain time also need some time.
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

    /// Waits for replies that are repeated because their callers have no inbox: after a restart of Redis, callers may reconnect
    /// later than the service.
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

    #[cfg(feature = "testing")]
    pub(crate) fn http(&self) -> Option<&Server> {
        self.servers.http()
    }

    /// Returns the server that accepts WebSockets, and their path.
    #[cfg(feature = "testing")]
    pub(crate) fn web_socket(&self) -> Option<(&Server, &str)> {
        self.servers.web_socket()
    }

    /// Ends a service that failed to start.
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
