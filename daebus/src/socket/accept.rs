//! Upgrades connections to WebSockets and gives clients their ids.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::{self, MethodRouter};
use daebus_caller::wire::{Fault, FaultCode};
use governor::DefaultDirectRateLimiter;
use tracing::{debug, error, warn};
use uuid::Uuid;

use super::client::Client;
use super::outgoing::Outgoing;
use super::server::SocketServer;
use super::session::Session;
use super::settings::{BUFFER, READ_BUFFER};
use super::upgrade::{Upgrade, check_origin};
use crate::http::problem;
use crate::runtime::BytesWritten;

/// The WebSocket server of a running service; upgrades connections.
#[derive(Clone)]
pub(crate) struct Acceptor(Arc<SocketServer>);

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor").field("sockets", &self.0.sockets).finish_non_exhaustive()
    }
}

impl Acceptor {
    pub(super) fn new(server: SocketServer) -> Self {
        Self(Arc::new(server))
    }

    /// Upgrades requests for a path, of any method. Requests that aren't upgrades are answered with 426.
    pub(crate) fn upgrades(&self) -> MethodRouter {
        let acceptor = self.clone();
        let upgrade = move |parts: Parts, upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>| {
            let acceptor = acceptor.clone();
            async move { acceptor.admit(&parts, upgrade).unwrap_or_else(|fault| refuse(&fault)) }
        };
        routing::any(upgrade)
    }

    /// Sends every client the shutdown message and closes the connections. The service's workers are done when all are
    /// closed.
    pub(crate) fn close(&self) {
        self.0.closing.cancel();
    }

    fn admit(
        self,
        parts: &Parts,
        upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    ) -> Result<Response, Fault> {
        let server = &self.0;
        let upgrade = upgrade.map_err(|rejection| no_upgrade(&rejection))?;
        let service = server.core.service.as_str();
        if server.closing.is_cancelled() {
            return Err(Fault::reserved(FaultCode::ShuttingDown, format!("{service} is shutting down")));
        }
        check_origin(server.settings.origins.as_deref(), &parts.headers, &parts.uri)
            .inspect_err(|fault| warn!(error = fault.error(), "WebSocket refused"))?;
        let Some(slot) = server.take_slot() else {
            let most = server.settings.connections;
            warn!(
                most,
                "a WebSocket is refused: there are as many connections as WebSocket::max_connections says"
            );
            let fault = format!("{service} has as many WebSocket connections as it takes");
            return Err(Fault::reserved(FaultCode::Overloaded, fault));
        };
        let about = Upgrade::of(parts);
        let id: Arc<str> = client_id(server, &about).into();
        let outgoing =
            Outgoing::new(Arc::clone(&id), server.settings.queue, server.sockets.dropped_counter());
        let upgrade = upgrade.protocols(server.settings.subprotocols.clone());
        let subprotocol = upgrade.selected_protocol().and_then(|name| name.to_str().ok()).map(Arc::from);
        let rooms = (server.sockets.table(), server.settings.rooms);
        let session = Session {
            server: Arc::clone(server),
            client: Client::new(id, about, subprotocol, outgoing, rooms),
            limiter: server.settings.quota().map(DefaultDirectRateLimiter::direct),
            // Every server puts it in; without it, a slow client would look like one that reads nothing.
            written: parts.extensions.get::<BytesWritten>().cloned().unwrap_or_default(),
        };
        let hard_limit = server.settings.hard_limit();
        let workers = server.workers.clone();
        Ok(upgrade
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(BUFFER)
            .max_write_buffer_size(server.settings.write_buffer_limit())
            .max_message_size(hard_limit)
            .max_frame_size(hard_limit)
            .on_failed_upgrade(|error| debug!(%error, "an upgrade to WebSocket failed"))
            .on_upgrade(move |socket| async move { workers.spawn(session.run(socket, slot)) }))
    }
}

/// The application's id, or `user_<uuid>` where it has none to give.
fn client_id(server: &SocketServer, upgrade: &Upgrade) -> String {
    let by_default = || format!("user_{}", Uuid::new_v4());
    let Some(client_ids) = &server.settings.client_ids else { return by_default() };
    match std::panic::catch_unwind(AssertUnwindSafe(|| client_ids(upgrade))) {
        Ok(id) if !id.is_empty() => id,
        Ok(_) => {
            warn!("WebSocket::client_ids gave an empty id; the client gets one by default");
            by_default()
        }
        Err(_) => {
            error!("WebSocket::client_ids panicked; the client gets an id by default");
            by_default()
        }
    }
}

/// Returns the 426 of a request that isn't an upgrade.
fn no_upgrade(rejection: &WebSocketUpgradeRejection) -> Fault {
    let words = format!("only WebSocket clients connect here: {}", rejection.body_text());
    Fault::new("not_a_websocket", words).with_status(StatusCode::UPGRADE_REQUIRED.as_u16())
}

fn refuse(fault: &Fault) -> Response {
    let mut response = problem(fault);
    if response.status() == StatusCode::UPGRADE_REQUIRED {
        response.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    }
    response
}
