//! A running service, and how it stops.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tracing::{info, warn};

use super::attach::Servers;
use super::hooks;
use crate::answer::{Actions, Intake};
use crate::context::Core;
use crate::error::{Error, Result};
use crate::extract::{Cache, Callers};
#[cfg(feature = "testing")]
use crate::http::Server;
use crate::registry::Registry;
use crate::shutdown::Shutdown;
use crate::socket::Sockets;
use crate::tasks::Tasks;
use crate::workers::Workers;

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
    intakes: Vec<Intake>,
    servers: Servers,
    drain: Duration,
}

impl Service {
    pub(super) fn new(
        core: Arc<Core>,
        registry: Arc<Registry>,
        workers: Workers,
        actions: Actions,
        tasks: Tasks,
        drain: Duration,
    ) -> Self {
        let (intakes, servers) = (Vec::new(), Servers::default());
        Self { core, registry, workers, actions, tasks, intakes, servers, drain }
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

    /// The key-value store on the service's bus.
    pub fn cache(&self) -> Cache {
        Cache::new(Arc::clone(&self.core.bus))
    }

    /// Asks the service to stop, or waits until a handler does.
    pub fn shutdown(&self) -> Shutdown {
        self.core.shutdown.clone()
    }

    /// Stops the service: leaves its channels, answers `shutting_down` to what still comes, waits for the handlers
    /// that run, runs `on_stop`, and leaves the bus.
    ///
    /// # Errors
    ///
    /// When handlers were still running after the drain time and had to be cut off; `on_stop` has run all the same.
    pub async fn stop(mut self) -> Result<()> {
        info!("{} is stopping", self.core.service);
        self.core.shutdown.request();
        self.actions.drain();
        self.servers.drain();
        join_all(self.intakes.drain(..).map(Intake::leave)).await;
        let result = if self.workers.drain(self.drain).await { Ok(()) } else { Err(self.cut_off()) };
        hooks::stop(&self.core, &self.registry, ON_STOP).await;
        self.core.bus.close().await;
        match &result {
            Ok(()) => info!("{} has stopped", self.core.service),
            Err(error) => warn!("{error}"),
        }
        result
    }

    fn cut_off(&self) -> Error {
        let running = self.registry.in_flight().map(|(source, count)| format!("{count}× {source}"));
        let handlers = running.collect::<Vec<_>>().join(", ");
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

    #[cfg(feature = "testing")]
    pub(crate) fn is_idle(&self) -> bool {
        self.registry.is_idle()
    }

    /// Ends a service that didn't come up.
    pub(super) async fn abandon(mut self) {
        self.intakes.clear();
        self.workers.cut_off();
        self.core.bus.close().await;
    }

    pub(super) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    pub(super) fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    pub(super) fn workers(&self) -> &Workers {
        &self.workers
    }

    pub(super) fn actions(&self) -> &Actions {
        &self.actions
    }

    pub(super) fn keep_servers(&mut self, servers: Servers) {
        self.servers = servers;
    }

    pub(super) fn keep(&mut self, intake: Intake) {
        self.intakes.push(intake);
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.core.shutdown.request();
        self.workers.cut_off();
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("name", &self.name()).finish_non_exhaustive()
    }
}
