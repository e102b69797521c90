//! All the clients of one service.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use axum::extract::ws::Message;
use parking_lot::{RwLock, RwLockReadGuard};
use serde::Serialize;

use super::client::Client;
use super::error::{SocketError, not_connected};
use super::frame;
use super::table::Table;

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
    table: Arc<RwLock<Table<Client>>>,
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
        let frame = frame::written(kind.into().unwrap_or("message"), &data)?;
        let clients = clients.into_iter().filter_map(|id| self.get(id.as_ref()));
        Ok(clients.filter(|client| client.push(frame.clone()).is_ok()).count())
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

    /// Sends to every client for which `wanted` returns `true`, and returns to how many.
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
        send_where(&self.list(), kind.into(), &data, wanted)
    }

    /// Every client, in no order.
    pub fn list(&self) -> Vec<Client> {
        self.table_now().clients().cloned().collect()
    }

    /// The clients for which `wanted` returns `true`.
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
        self.table_now().count()
    }

    /// The client of this id.
    pub fn get(&self, client: &str) -> Option<Client> {
        self.table_now().get(client).cloned()
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

    pub(super) fn table(&self) -> Weak<RwLock<Table<Client>>> {
        Arc::downgrade(&self.0.table)
    }

    /// Adds a client, with its welcome as its first frame. Returns the client that had its id.
    ///
    /// The table is locked meanwhile, so a client that has its welcome receives every later broadcast, and none before it.
    pub(super) fn admit(&self, client: &Client, welcome: Option<Message>) -> Option<Client> {
        let mut table = self.0.table.write();
        if let Some(welcome) = welcome {
            // A client that is gone needs no welcome.
            let _ = client.outgoing().force(welcome);
        }
        let before = table.get(client.id()).map(Client::shared_rooms);
        let before = before.and_then(|rooms| table.remove(client.id(), &rooms));
        table.insert(&client.shared_id(), client, &client.shared_rooms());
        before
    }

    /// Removes a client, unless another has its id by now.
    pub(super) fn remove(&self, client: &Client) {
        let mut table = self.0.table.write();
        if table.get(client.id()).is_some_and(|known| known.is_same(client)) {
            table.remove(client.id(), &client.shared_rooms());
        }
    }

    pub(super) fn table_now(&self) -> RwLockReadGuard<'_, Table<Client>> {
        self.0.table.read()
    }
}

impl fmt::Debug for Sockets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sockets").field("count", &self.count()).finish_non_exhaustive()
    }
}

/// Sends to those of the clients for which `wanted` returns `true`, and returns to how many.
pub(super) fn send_where(
    clients: &[Client],
    kind: Option<&str>,
    data: &impl Serialize,
    wanted: impl Fn(&Client) -> bool,
) -> Result<usize, SocketError> {
    let frame = frame::written(kind.unwrap_or("broadcast"), data)?;
    Ok(clients.iter().filter(|client| wanted(client) && client.push(frame.clone()).is_ok()).count())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::socket::outgoing::Outgoing;
    use crate::socket::upgrade::Upgrade;
    use crate::socket::waiting_frames::{QueueBounds, WhenFull};

    fn client(sockets: &Sockets, id: &str) -> Client {
        let (request, ()) = axum::http::Request::new(()).into_parts();
        let bounds = QueueBounds { frames: 4, bytes: 1000, when_full: WhenFull::DropOldest };
        let outgoing = Outgoing::new(id.into(), bounds, sockets.dropped_counter());
        Client::new(id.into(), Upgrade::of(&request), None, outgoing, (sockets.table(), 2))
    }

    #[test]
    fn a_client_has_its_welcome_only_once_broadcasts_reach_it() {
        let sockets = Sockets::default();
        let client = client(&sockets, "user_1");
        let reading = sockets.table_now();
        let admitting = std::thread::spawn({
            let (sockets, client) = (sockets.clone(), client.clone());
            move || sockets.admit(&client, Some(Message::Text("welcome".into())))
        });
        let started = Instant::now();
        // A waiting writer locks out new readers.
        while sockets.0.table.try_read().is_some() {
            assert!(started.elapsed() < Duration::from_secs(10), "the client is not admitted under the lock");
            std::thread::yield_now();
        }
        assert_eq!(client.outgoing().waiting(), Vec::<Message>::new());
        drop(reading);
        assert!(admitting.join().unwrap().is_none());
        sockets.broadcast("news", 1).unwrap();
        let frames = client.outgoing().waiting();
        let texts: Vec<&str> = frames.iter().map(|frame| frame.to_text().unwrap()).collect();
        assert_eq!(texts, ["welcome", r#"{"type":"news","data":1}"#]);
    }
}
