//! The state that all WebSocket connections of a service share.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::{info, warn};

use super::client::Client;
use super::gateway::GatewayServer;
use super::settings::Settings;
use super::sockets::Sockets;
use crate::blueprint::Registry;
use crate::handler::{Core, Definition};
use crate::runtime::Workers;

/// The state that all WebSocket connections of a service share.
pub(super) struct SocketServer {
    pub(super) settings: Settings,
    pub(super) sockets: Sockets,
    pub(super) gateway: Option<GatewayServer>,
    pub(super) core: Arc<Core>,
    pub(super) registry: Arc<Registry>,
    pub(super) workers: Workers,
    /// The timeout of handlers whose attribute sets none.
    pub(super) timeout: Duration,
    pub(super) closing: CancellationToken,
    overload: Mutex<Overload>,
    slots: Arc<Semaphore>,
    /// Sessions whose client has left.
    leaving: Arc<Semaphore>,
}

/// Messages that are refused because the service has too much to do.
#[derive(Debug, Default)]
struct Overload {
    refused: u64,
    last: Option<Instant>,
}

impl Overload {
    /// Places that become free one by one don't end an overload.
    const ENDS_AFTER: Duration = Duration::from_secs(10);

    fn note(&mut self, is_admitted: bool) {
        match (is_admitted, self.last) {
            (false, None) => {
                warn!("the service has too much to do, WebSocket messages are refused with `overloaded`");
                (self.refused, self.last) = (1, Some(Instant::now()));
            }
            (false, Some(_)) => {
                self.refused += 1;
                self.last = Some(Instant::now());
            }
            (true, Some(last)) if last.elapsed() >= Self::ENDS_AFTER => {
                info!(refused = self.refused, "WebSocket messages are no longer refused");
                *self = Self::default();
            }
            (true, _) => {}
        }
    }
}

/// A permit of `WebSocket::max_connections`, held from the upgrade to the end of the connection. The drain waits for it.
pub(super) struct ConnectionSlot {
    permit: OwnedSemaphorePermit,
    leaving: Arc<Semaphore>,
    _worker: TaskTrackerToken,
}

impl ConnectionSlot {
    /// Gives the place to another client, though messages of this one are still handled. There are as many sessions of
    /// departed clients as connections; beyond that the place is kept until the session ends.
    pub(super) fn vacate(&mut self) {
        if let Ok(permit) = Arc::clone(&self.leaving).try_acquire_owned() {
            self.permit = permit;
        }
    }
}

impl SocketServer {
    pub(super) fn new(
        mut settings: Settings,
        sockets: Sockets,
        core: Arc<Core>,
        registry: Arc<Registry>,
        workers: Workers,
        timeout: Duration,
    ) -> Self {
        let bytes = (settings.inbox_bytes, settings.queue.bytes);
        let gateway = settings.gateway.take();
        let gateway = gateway.map(|gateway| GatewayServer::new(gateway, &core, &workers, bytes));
        let slots = || Arc::new(Semaphore::new(settings.connections.min(Semaphore::MAX_PERMITS)));
        let (slots, leaving) = (slots(), slots());
        let closing = CancellationToken::new();
        Self {
            settings,
            sockets,
            gateway,
            core,
            registry,
            workers,
            timeout,
            closing,
            overload: Mutex::default(),
            slots,
            leaving,
        }
    }

    /// Returns a place for a run of a handler. `None` if the service has too much to do; the log has the beginning of that
    /// and its end.
    pub(super) fn admit(&self, definition: &Definition) -> Option<OwnedSemaphorePermit> {
        let place = self.core.admission.admit(definition);
        self.overload.lock().note(place.is_some());
        place
    }

    /// Removes a client that has gone.
    pub(super) fn left(&self, client: &Client) {
        self.sockets.remove(client);
        if let Some(gateway) = &self.gateway {
            gateway.left(client);
        }
    }

    /// Returns `None` if as many connections are open as the settings allow.
    pub(super) fn take_slot(&self) -> Option<ConnectionSlot> {
        let permit = Arc::clone(&self.slots).try_acquire_owned().ok()?;
        Some(ConnectionSlot { permit, leaving: Arc::clone(&self.leaving), _worker: self.workers.hold() })
    }
}
