//! One WebSocket client.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use axum::extract::ws::Message;
use bytes::Bytes;
use daebus_caller::wire::Headers;
use parking_lot::{Mutex, RwLock};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;

use super::close::Close;
use super::error::{SocketError, not_connected};
use super::frame;
use super::info::ClientInfo;
use super::outgoing::Outgoing;
use super::table::Table;
use super::upgrade::Upgrade;

/// A WebSocket client: the one whose message is handled, or one out of [`Sockets`](crate::Sockets).
///
/// A clone is the same client, and may be kept; once the client has gone, sending to it fails.
///
/// Sending doesn't wait: a frame goes into the client's queue, which a task of its own writes.
/// [`WebSocket::when_full`](crate::WebSocket::when_full) sets what happens when the queue is full.
/// [`send_async`](Self::send_async) waits for a place in the queue instead.
#[derive(Clone)]
pub struct Client(Arc<ClientState>);

struct ClientState {
    id: Arc<str>,
    upgrade: Upgrade,
    connected_at: SystemTime,
    started: Instant,
    received: AtomicU64,
    /// In milliseconds after `started`.
    last_received: AtomicU64,
    outgoing: Arc<Outgoing>,
    subprotocol: Option<Arc<str>>,
    attributes: Mutex<BTreeMap<String, Value>>,
    /// The rooms that the client is in; locked after the table.
    rooms: Mutex<BTreeSet<Arc<str>>>,
    max_rooms: usize,
    table: Weak<RwLock<Table<Client>>>,
}

/// The maximum size of a room's name, that of a channel's.
const ROOM_NAME_BYTES: usize = 255;

impl Client {
    /// `rooms` are the table that has the rooms, and how many of them the client may be in.
    pub(super) fn new(
        id: Arc<str>,
        upgrade: Upgrade,
        subprotocol: Option<Arc<str>>,
        outgoing: Outgoing,
        (table, max_rooms): (Weak<RwLock<Table<Self>>>, usize),
    ) -> Self {
        Self(Arc::new(ClientState {
            id,
            upgrade,
            connected_at: SystemTime::now(),
            started: Instant::now(),
            received: AtomicU64::new(0),
            last_received: AtomicU64::new(0),
            outgoing: Arc::new(outgoing),
            subprotocol,
            attributes: Mutex::default(),
            rooms: Mutex::default(),
            max_rooms,
            table,
        }))
    }

    /// The client's id: `user_<uuid>`, or what [`WebSocket::client_ids`](crate::WebSocket::client_ids) made.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// Sends `{"type": kind, "data": …}`; `None` as the type is `message`.
    ///
    /// ```
    /// # use daebus::prelude::*;
    /// # use daebus::{Client, SocketError};
    /// async fn greet(client: Client) -> Result<(), BoxError> {
    ///     client.send("welcome", &json!({"you": client.id()}))?;
    ///     client.send(None, "a message of type `message`")?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the client is not connected, if the data can't be written as JSON, or if the frame is larger
    /// than [`WebSocket::queue_bytes`](crate::WebSocket::queue_bytes).
    pub fn send<'a>(
        &self,
        kind: impl Into<Option<&'a str>>,
        data: impl Serialize,
    ) -> Result<(), SocketError> {
        self.push(frame::written(kind.into().unwrap_or("message"), &data)?)
    }

    /// Sends as [`send`](Self::send) does, and waits while the queue of the client is full. The frame is never dropped
    /// while the client is connected. A client that reads nothing for 30 s is disconnected, which ends the wait.
    ///
    /// ```
    /// # use daebus::prelude::*;
    /// # use daebus::Client;
    /// /// A million rows, as fast as the client reads.
    /// #[socket("export")]
    /// async fn export(client: Client) -> Result<(), BoxError> {
    ///     for row in 0..1_000_000 {
    ///         client.send_async("row", &json!({"row": row})).await?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the client is not connected or disconnects meanwhile, if the data can't be written as JSON, or
    /// if the frame is larger than [`WebSocket::queue_bytes`](crate::WebSocket::queue_bytes).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it has completed, the frame is not sent. Senders that wait are served in order.
    pub async fn send_async<'a>(
        &self,
        kind: impl Into<Option<&'a str>>,
        data: impl Serialize,
    ) -> Result<(), SocketError> {
        let frame = frame::written(kind.into().unwrap_or("message"), &data)?;
        self.0.outgoing.deliver(frame).await
    }

    /// Sends a binary frame.
    ///
    /// ```
    /// use axum::body::Bytes;
    /// # use daebus::axum;
    /// # use daebus::{Client, SocketError};
    /// fn send_image(client: &Client, png: Bytes) -> Result<(), SocketError> {
    ///     client.send_binary(png)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the client is not connected, or if the frame is larger than
    /// [`WebSocket::queue_bytes`](crate::WebSocket::queue_bytes).
    pub fn send_binary(&self, bytes: impl Into<Bytes>) -> Result<(), SocketError> {
        self.push(Message::Binary(bytes.into()))
    }

    /// Sends a binary frame as [`send_async`](Self::send_async) sends a message: waits while the queue is full.
    ///
    /// # Errors
    ///
    /// As [`send_binary`](Self::send_binary), and if the client disconnects meanwhile.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it has completed, the frame is not sent.
    pub async fn send_binary_async(&self, bytes: impl Into<Bytes>) -> Result<(), SocketError> {
        let frame = Message::Binary(bytes.into());
        self.0.outgoing.deliver(frame).await
    }

    /// Puts the client into a room, to whose members [`Sockets::room`](crate::Sockets::room) sends. A room exists while it
    /// has members. Joining a room twice has no effect. A client that joins in its `connect` handler is a member once it
    /// has been let in. A client leaves its rooms when its connection ends.
    ///
    /// ```
    /// # use daebus::prelude::*;
    /// #[socket("enter")]
    /// async fn enter(Payload(room): Payload<String>, client: Client, sockets: Sockets) -> Result<usize, BoxError> {
    ///     client.join(&room)?;
    ///     Ok(sockets.room(&room).count())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the name is empty or has more than 255 bytes, if the client is in as many rooms as
    /// [`WebSocket::max_rooms`](crate::WebSocket::max_rooms) allows, or if it is not connected.
    pub fn join(&self, room: &str) -> Result<(), SocketError> {
        if !(1..=ROOM_NAME_BYTES).contains(&room.len()) {
            return Err(SocketError::RoomName { bytes: room.len(), limit: ROOM_NAME_BYTES });
        }
        let gone = || not_connected(self.id());
        let table = self.0.table.upgrade().filter(|_| self.is_connected()).ok_or_else(gone)?;
        let mut table = table.write();
        let mut rooms = self.0.rooms.lock();
        if rooms.contains(room) {
            return Ok(());
        }
        if rooms.len() >= self.0.max_rooms {
            return Err(SocketError::TooManyRooms { client: self.id().to_owned(), limit: self.0.max_rooms });
        }
        let room: Arc<str> = room.into();
        if table.get(self.id()).is_some_and(|known| known.is_same(self)) {
            table.join(&room, &self.0.id, self);
        }
        rooms.insert(room);
        Ok(())
    }

    /// Takes the client out of a room. Returns whether it was in it.
    pub fn leave(&self, room: &str) -> bool {
        let Some(table) = self.0.table.upgrade() else { return false };
        let mut table = table.write();
        let was_in = self.0.rooms.lock().remove(room);
        if was_in && table.get(self.id()).is_some_and(|known| known.is_same(self)) {
            table.leave(room, self.id());
        }
        was_in
    }

    /// Returns the rooms that the client is in, in alphabetical order.
    pub fn rooms(&self) -> Vec<String> {
        self.0.rooms.lock().iter().map(ToString::to_string).collect()
    }

    /// Returns the subprotocol that was agreed on, one of
    /// [`WebSocket::subprotocols`](crate::WebSocket::subprotocols).
    pub fn subprotocol(&self) -> Option<&str> {
        self.0.subprotocol.as_deref()
    }

    /// Closes the connection, after what is queued has left: 1000 is a normal end, 1008 a rule that was broken, 4000
    /// to 4999 are the application's own. Of the reason 123 bytes are sent. `false` when it was closing already.
    pub fn disconnect(&self, code: u16, reason: &str) -> bool {
        self.0.outgoing.close(Close::new(code, reason))
    }

    /// Whether messages still reach it.
    pub fn is_connected(&self) -> bool {
        !self.0.outgoing.closing().is_cancelled() && !self.0.outgoing.ended().is_cancelled()
    }

    /// When it connected.
    pub fn connected_at(&self) -> SystemTime {
        self.0.connected_at
    }

    /// For how long it has been connected.
    pub fn uptime(&self) -> Duration {
        self.0.started.elapsed()
    }

    /// Where it connects from. `None` where the server doesn't know; behind a proxy it is the proxy.
    pub fn address(&self) -> Option<SocketAddr> {
        self.0.upgrade.address
    }

    /// The path it connected to.
    pub fn path(&self) -> &str {
        &self.0.upgrade.path
    }

    /// The query of the upgrade; of parameters given twice the last.
    pub fn query(&self) -> &BTreeMap<String, String> {
        &self.0.upgrade.query
    }

    /// The headers of the upgrade, their names in lower case.
    pub fn headers(&self) -> &Headers {
        &self.0.upgrade.headers
    }

    /// How many messages it has sent.
    pub fn messages_in(&self) -> u64 {
        self.0.received.load(Ordering::Relaxed)
    }

    /// How many messages it was sent; those that are still queued aren't counted.
    pub fn messages_out(&self) -> u64 {
        self.0.outgoing.sent()
    }

    /// How many messages it was never sent, since it didn't keep up.
    pub fn dropped(&self) -> u64 {
        self.0.outgoing.dropped()
    }

    /// When a message last came from it or left for it; when it connected, if none has.
    pub fn last_activity(&self) -> SystemTime {
        self.0.connected_at + self.active_after()
    }

    /// For how long no message has come from it nor left for it.
    pub fn idle(&self) -> Duration {
        self.uptime().saturating_sub(self.active_after())
    }

    /// An attribute that [`set`](Self::set) set. `None` when it wasn't, or isn't a `T`.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let value = self.0.attributes.lock().get(name).cloned()?;
        serde_json::from_value(value).ok()
    }

    /// Sets an attribute of the application's own, for as long as the client is connected: the user's name, for example.
    ///
    /// # Errors
    ///
    /// When the value can't be written as JSON.
    pub fn set(&self, name: &str, value: impl Serialize) -> Result<(), SocketError> {
        let value = serde_json::to_value(value)
            .map_err(|error| SocketError::Encode { kind: name.to_owned(), reason: error.to_string() })?;
        self.0.attributes.lock().insert(name.to_owned(), value);
        Ok(())
    }

    /// Everything known about it, to be shown.
    pub fn info(&self) -> ClientInfo {
        let seconds =
            |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        ClientInfo {
            id: self.id().to_owned(),
            address: self.address(),
            path: self.path().to_owned(),
            connected_at: seconds(self.connected_at()),
            uptime_seconds: self.uptime().as_secs_f64(),
            last_activity: seconds(self.last_activity()),
            idle_seconds: self.idle().as_secs_f64(),
            messages_in: self.messages_in(),
            messages_out: self.messages_out(),
            dropped: self.dropped(),
            attributes: self.0.attributes.lock().clone(),
        }
    }

    pub(super) fn push(&self, frame: Message) -> Result<(), SocketError> {
        self.0.outgoing.push(frame)
    }

    pub(super) fn shared_rooms(&self) -> Vec<Arc<str>> {
        self.0.rooms.lock().iter().cloned().collect()
    }

    pub(super) fn received(&self) {
        self.0.received.fetch_add(1, Ordering::Relaxed);
        self.0.last_received.store(self.uptime_millis(), Ordering::Relaxed);
    }

    pub(super) fn outgoing(&self) -> &Arc<Outgoing> {
        &self.0.outgoing
    }

    pub(super) fn upgrade(&self) -> &Upgrade {
        &self.0.upgrade
    }

    pub(super) fn shared_id(&self) -> Arc<str> {
        Arc::clone(&self.0.id)
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    fn active_after(&self) -> Duration {
        let received = Duration::from_millis(self.0.last_received.load(Ordering::Relaxed));
        let sent = self.0.outgoing.last_sent().map(|at| at.saturating_duration_since(self.0.started));
        received.max(sent.unwrap_or_default())
    }

    fn uptime_millis(&self) -> u64 {
        u64::try_from(self.uptime().as_millis()).unwrap_or(u64::MAX)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("id", &self.id())
            .field("address", &self.address())
            .field("path", &self.path())
            .finish_non_exhaustive()
    }
}
