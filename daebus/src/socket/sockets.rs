//! All the clients of one service.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::ws::Utf8Bytes;
use parking_lot::{RwLock, RwLockReadGuard};
use serde::Serialize;

use super::client::{Client, SocketError, encoded, not_connected};
use super::frame;

/// All WebSocket clients of this service. An argument of any handler, once a [`WebSocket`](crate::WebSocket) is
/// attached; [`Service::sockets`](crate::Service::sockets) gives the same from outside.
///
/// Sending never waits for a client, so a slow one holds up nobody; see [`Client`].
///
/// A client is among them from when its `connect` handler has let it in, and no longer when `disconnect` runs.
#[derive(Clone, Default)]
pub struct Sockets(Arc<ClientTable>);

#[derive(Default)]
struct ClientTable {
    clients: RwLock<HashMap<Arc<str>, Client>>,
    dropped: Arc<AtomicU64>,
}

impl Sockets {
    /// Sends `{"type": kind, "data": …}` to one client; `None` as the type is `message`.
    ///
    /// # Errors
    ///
    /// When no client of that id is connected, or the data can't be written as JSON.
    pub fn send<'a>(
        &self,
        client: &str,
        kind: impl Into<Option<&'a str>>,
        data: impl Serialize,
    ) -> Result<(), SocketError> {
        self.get(client).ok_or_else(|| not_connected(client))?.send(kind, data)
    }

    /// Sends to some clients and returns to how many; those that aren't connected are passed over.
    ///
    /// # Errors
    ///
    /// When the data can't be written as JSON; nothing is sent then.
    pub fn send_to<'a, I>(
        &self,
        clients: I,
        kind: impl Into<Option<&'a str>>,
        data: impl Serialize,
    ) -> Result<usize, SocketError>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let frame = written(kind.into().unwrap_or("message"), &data)?;
        let clients = clients.into_iter().filter_map(|id| self.get(id.as_ref()));
        Ok(clients.filter(|client| client.push(frame.clone())).count())
    }

    /// Sends to every client and returns to how many; `None` as the type is `broadcast`.
    ///
    /// ```
    /// # use daebus::prelude::*;
    /// # use daebus::Sockets;
    /// /// What arrives on a channel of the bus goes on to every browser.
    /// #[listen("prices")]
    /// async fn on_price(Payload(price): Payload<Value>, sockets: Sockets) -> Result<(), BoxError> {
    ///     sockets.broadcast("price", &price)?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// When the data can't be written as JSON; nothing is sent then.
    pub fn broadcast<'a>(
        &self,
        kind: impl Into<Option<&'a str>>,
        data: impl Serialize,
    ) -> Result<usize, SocketError> {
        self.broadcast_where(kind, data, |_| true)
    }

    /// Sends to every client that `wanted` says yes to, and returns to how many.
    ///
    /// ```
    /// # use daebus::prelude::*;
    /// # use daebus::{Client, Sockets, SocketError};
    /// fn say(sockets: &Sockets, room: &str, text: &str) -> Result<usize, SocketError> {
    ///     let is_there = |client: &Client| client.get::<String>("room").as_deref() == Some(room);
    ///     sockets.broadcast_where("chat", &json!({"text": text}), is_there)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// When the data can't be written as JSON; nothing is sent then.
    pub fn broadcast_where<'a>(
        &self,
        kind: impl Into<Option<&'a str>>,
        data: impl Serialize,
        wanted: impl Fn(&Client) -> bool,
    ) -> Result<usize, SocketError> {
        let frame = written(kind.into().unwrap_or("broadcast"), &data)?;
        let clients = self.list();
        Ok(clients.iter().filter(|client| wanted(client) && client.push(frame.clone())).count())
    }

    /// Every client, in no order.
    pub fn list(&self) -> Vec<Client> {
        self.clients().values().cloned().collect()
    }

    /// The clients that `wanted` says yes to.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use daebus::Sockets;
    /// fn old_hands(sockets: &Sockets) -> Vec<daebus::Client> {
    ///     sockets.filter(|client| client.uptime() > Duration::from_secs(300))
    /// }
    /// ```
    pub fn filter(&self, wanted: impl Fn(&Client) -> bool) -> Vec<Client> {
        let mut clients = self.list();
        clients.retain(|client| wanted(client));
        clients
    }

    /// How many clients are connected.
    pub fn count(&self) -> usize {
        self.clients().len()
    }

    /// The client of this id.
    pub fn get(&self, client: &str) -> Option<Client> {
        self.clients().get(client).cloned()
    }

    /// Closes a client's connection; see [`Client::disconnect`]. `false` when it isn't connected.
    pub fn disconnect(&self, client: &str, code: u16, reason: &str) -> bool {
        self.get(client).is_some_and(|client| client.disconnect(code, reason))
    }

    /// How many messages were dropped since the service started, because clients didn't keep up.
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    pub(super) fn dropped_counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.0.dropped)
    }

    /// Takes a client in and gives back the one that had its id.
    pub(super) fn insert(&self, client: &Client) -> Option<Client> {
        let mut clients = self.0.clients.write();
        clients.insert(client.shared_id(), client.clone())
    }

    /// Strikes a client off, unless another has its id by now.
    pub(super) fn remove(&self, client: &Client) {
        let mut clients = self.0.clients.write();
        if clients.get(client.id()).is_some_and(|known| known.is_same(client)) {
            clients.remove(client.id());
        }
    }

    fn clients(&self) -> RwLockReadGuard<'_, HashMap<Arc<str>, Client>> {
        self.0.clients.read()
    }
}

impl fmt::Debug for Sockets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sockets").field("count", &self.count()).finish_non_exhaustive()
    }
}

/// The frame is written once; what each client gets is the same bytes.
fn written<T: Serialize + ?Sized>(kind: &str, data: &T) -> Result<Utf8Bytes, SocketError> {
    Ok(frame::push(kind, &encoded(kind, data)?))
}
