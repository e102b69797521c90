//! One WebSocket client.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use daebus_caller::wire::{Headers, RawJson, encode};
use parking_lot::Mutex;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;

use super::frame;
use super::outgoing::{Close, Outgoing};
use super::upgrade::Upgrade;

/// Why nothing was sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SocketError {
    /// No client of that id is connected, or it is just going.
    #[error("the client {client} is not connected")]
    NotConnected {
        /// The client's id.
        client: String,
    },
    /// What was to be sent can't be written as JSON.
    #[error("a message of type {kind:?} can't be written as JSON: {reason}")]
    Encode {
        /// The message's type.
        kind: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// A WebSocket client: the one whose message is handled, or one out of [`Sockets`](crate::Sockets).
///
/// A clone is the same client, and may be kept; once the client has gone, sending to it fails.
///
/// Sending never waits: a frame goes into the client's queue, and a task of its own empties that. What happens when
/// the queue is full, [`WebSocket::when_full`](crate::WebSocket::when_full) says.
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
    attributes: Mutex<BTreeMap<String, Value>>,
}

impl Client {
    pub(super) fn new(id: Arc<str>, upgrade: Upgrade, outgoing: Outgoing) -> Self {
        Self(Arc::new(ClientState {
            id,
            upgrade,
            connected_at: SystemTime::now(),
            started: Instant::now(),
            received: AtomicU64::new(0),
            last_received: AtomicU64::new(0),
            outgoing: Arc::new(outgoing),
            attributes: Mutex::default(),
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
    /// When the client has gone, or the data can't be written as JSON.
    pub fn send<'a>(
        &self,
        kind: impl Into<Option<&'a str>>,
        data: impl Serialize,
    ) -> Result<(), SocketError> {
        let kind = kind.into().unwrap_or("message");
        let frame = frame::push(kind, &encoded(kind, &data)?);
        if self.push(frame) { Ok(()) } else { Err(not_connected(&self.0.id)) }
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

    /// Sets an attribute of the application's own, for as long as the client is connected: who it is, which room it
    /// is in.
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

    pub(super) fn push(&self, frame: axum::extract::ws::Utf8Bytes) -> bool {
        self.0.outgoing.push(frame)
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

/// What is known about a client, as it was at one moment; times in seconds, points in time since 1970.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ClientInfo {
    /// Its id.
    pub id: String,
    /// Where it connects from.
    pub address: Option<SocketAddr>,
    /// The path it connected to.
    pub path: String,
    /// When it connected.
    pub connected_at: f64,
    /// For how long it has been connected.
    pub uptime_seconds: f64,
    /// When a message last came from it or left for it.
    pub last_activity: f64,
    /// For how long no message has.
    pub idle_seconds: f64,
    /// How many messages it has sent.
    pub messages_in: u64,
    /// How many messages it was sent.
    pub messages_out: u64,
    /// How many messages it was never sent, since it didn't keep up.
    pub dropped: u64,
    /// The application's own attributes.
    pub attributes: BTreeMap<String, Value>,
}

/// What is sent, as JSON. `()` is written as `{}`.
pub(super) fn encoded<T: Serialize + ?Sized>(kind: &str, data: &T) -> Result<RawJson, SocketError> {
    encode(data).map_err(|error| SocketError::Encode { kind: kind.to_owned(), reason: error.to_string() })
}

pub(super) fn not_connected(client: &str) -> SocketError {
    SocketError::NotConnected { client: client.to_owned() }
}
