//! The state that all WebSocket connections of a service share.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::settings::Settings;
use super::sockets::Sockets;
use crate::blueprint::Registry;
use crate::handler::Core;
use crate::runtime::Workers;

/// The state that all WebSocket connections of a service share.
pub(super) struct SocketServer {
    pub(super) settings: Settings,
    pub(super) sockets: Sockets,
    pub(super) core: Arc<Core>,
    pub(super) registry: Arc<Registry>,
    pub(super) workers: Workers,
    /// The timeout of handlers whose attribute sets none.
    pub(super) timeout: Duration,
    pub(super) closing: CancellationToken,
    slots: Arc<Semaphore>,
}

/// A permit of `WebSocket::max_connections`, held from the upgrade to the end of the session. The drain waits for it.
pub(super) struct ConnectionSlot {
    _permit: OwnedSemaphorePermit,
    _worker: TaskTrackerToken,
}

impl SocketServer {
    pub(super) fn new(
        settings: Settings,
        sockets: Sockets,
        core: Arc<Core>,
        registry: Arc<Registry>,
        workers: Workers,
        timeout: Duration,
    ) -> Self {
        let slots = Arc::new(Semaphore::new(settings.connections.min(Semaphore::MAX_PERMITS)));
        let closing = CancellationToken::new();
        Self { settings, sockets, core, registry, workers, timeout, closing, slots }
    }

    /// Returns `None` if as many connections are open as the settings allow.
    pub(super) fn take_slot(&self) -> Option<ConnectionSlot> {
        let permit = Arc::clone(&self.slots).try_acquire_owned().ok()?;
        Some(ConnectionSlot { _permit: permit, _worker: self.workers.hold() })
    }
}
