//! What is set about WebSockets, and what holds where nothing is.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::Message;
use daebus_caller::wire::RawJson;
use governor::Quota;

use super::frame;
use super::gateway::{FrameKind, Gateway};
use super::upgrade::Upgrade;
use super::waiting_frames::{QueueBounds, WhenFull};
use crate::blueprint::Registry;
use crate::error::Mistake;

/// How much tungstenite buffers of each connection's writes, while it writes; its own default of 128 KiB is a lot for
/// hundreds of connections that are mostly silent.
pub(super) const BUFFER: usize = 8 * 1024;

/// The same for reads. Every connection has this buffer, which is cleared for each read; a larger message has a buffer of
/// its own size.
pub(super) const READ_BUFFER: usize = 4 * 1024;

/// The longest time of a rate; governor counts in nanoseconds, of which 64 bits hold some centuries.
const LONGEST_WINDOW: Duration = Duration::from_secs(366 * 86_400);

/// Makes a client's id out of its upgrade.
pub(super) type ClientIds = Arc<dyn Fn(&Upgrade) -> String + Send + Sync>;

#[derive(Clone)]
pub(super) struct Settings {
    pub(super) rate: Option<(u32, Duration)>,
    pub(super) message_bytes: usize,
    pub(super) ping: Option<Duration>,
    pub(super) idle: Option<Duration>,
    pub(super) queue: QueueBounds,
    /// Bytes of messages that have been read and not yet handled, above which no further message is read.
    pub(super) inbox_bytes: usize,
    pub(super) rooms: usize,
    pub(super) subprotocols: Vec<String>,
    /// Whether frames of the types `connect` and `disconnect` run the handlers of these names.
    pub(super) client_events: bool,
    /// `None`: clients reach handlers only.
    pub(super) gateway: Option<Gateway>,
    pub(super) origins: Option<Vec<String>>,
    pub(super) connections: usize,
    pub(super) client_ids: Option<ClientIds>,
    pub(super) shutdown_message: String,
    pub(super) reconnect: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            // Python's is off too, until it is asked for.
            rate: None,
            // What Python's `websockets` takes.
            message_bytes: 1024 * 1024,
            // As Python's `websockets`; shorter than the minute after which proxies drop a silent connection.
            ping: Some(Duration::from_secs(20)),
            // A page that only listens is a good client.
            idle: None,
            // Seconds of live data; four of the largest messages that a client may send.
            queue: QueueBounds { frames: 256, bytes: 4 * 1024 * 1024, when_full: WhenFull::DropOldest },
            // The largest message, unless that is changed.
            inbox_bytes: 1024 * 1024,
            rooms: 64,
            subprotocols: Vec::new(),
            client_events: false,
            gateway: None,
            origins: None,
            // Of the 1,024 files that a process usually may open, what HTTP's 512 connections and the bus leave.
            connections: 400,
            client_ids: None,
            shutdown_message: "Server is shutting down".to_owned(),
            reconnect: true,
        }
    }
}

impl Settings {
    /// The rate as governor wants it; `None`: no limit. An unusable one is among the
    /// [`mistakes`](Self::mistakes).
    pub(super) fn quota(&self) -> Option<Quota> {
        let (messages, per) = self.rate?;
        let messages = NonZeroU32::new(messages)?;
        // At once as many as the time allows, and then one whenever another has become due.
        Some(Quota::with_period(per / messages.get())?.allow_burst(messages))
    }

    /// The time of the rate.
    pub(super) fn window(&self) -> Duration {
        self.rate.map_or(Duration::ZERO, |(_, per)| per)
    }

    /// What is still read, to be refused in good order. Beyond it the connection is broken off, since what is left of
    /// such a message can't be skipped.
    pub(super) fn hard_limit(&self) -> usize {
        self.message_bytes.saturating_mul(2).saturating_add(64 * 1024)
    }

    /// The message that clients receive when the service stops.
    pub(super) fn shutdown_frame(&self) -> Message {
        let data = serde_json::json!({"message": self.shutdown_message, "reconnect": self.reconnect});
        let data = RawJson::from_value(&data).unwrap_or_else(|_| RawJson::empty_object());
        frame::push("server_shutdown", &data)
    }

    /// The largest write buffer of tungstenite: one frame, and the pong and the close frame that may be behind it.
    pub(super) fn write_buffer_limit(&self) -> usize {
        self.queue.bytes.saturating_add(4 * BUFFER)
    }

    pub(super) fn mistakes(&self, registry: &Registry) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        if let Some(gateway) = &self.gateway {
            mistakes.extend(gateway.mistakes());
            mistakes.extend(FrameKind::NAMES.into_iter().filter_map(|kind| {
                let source = registry.socket(kind)?.definition.source;
                let found = format!(
                    "messages of the type {kind:?} are the gateway's: give this handler another name"
                );
                Some(Mistake::new(found).at(source))
            }));
        }
        if self.rate.is_some() && (self.quota().is_none() || self.window() > LONGEST_WINDOW) {
            mistakes.push(Mistake::new(
                "WebSocket::rate_limit needs at least one message, and a time that isn't zero and at most a year, for example \
                 .rate_limit(60, Duration::from_secs(60))",
            ));
        }
        for name in self.subprotocols.iter().filter(|name| !is_token(name)) {
            mistakes.push(Mistake::new(format!(
                "{name:?} can't be a WebSocket subprotocol: a name has ASCII letters, digits and !#$%&'*+-.^_`|~"
            )));
        }
        mistakes
    }
}

/// A token of RFC 9110, 5.6.2.
fn is_token(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_allowed)
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("rate", &self.rate)
            .field("message_bytes", &self.message_bytes)
            .field("ping", &self.ping)
            .field("idle", &self.idle)
            .field("queue", &self.queue)
            .field("inbox_bytes", &self.inbox_bytes)
            .field("rooms", &self.rooms)
            .field("subprotocols", &self.subprotocols)
            .field("client_events", &self.client_events)
            .field("gateway", &self.gateway)
            .field("origins", &self.origins)
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}
