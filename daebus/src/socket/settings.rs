//! What is set about WebSockets, and what holds where nothing is.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::Utf8Bytes;
use daebus_caller::wire::RawJson;
use governor::Quota;

use super::frame;
use super::upgrade::Upgrade;
use crate::error::Mistake;

/// What happens to a client that doesn't keep up with what is sent to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum WhenFull {
    /// The oldest frame of its queue makes room for the newest: what live data wants.
    #[default]
    DropOldest,
    /// It is disconnected with 1013, and its queue is dropped: for clients that must not miss anything.
    Disconnect,
}

/// Makes a client's id out of its upgrade.
pub(super) type ClientIds = Arc<dyn Fn(&Upgrade) -> String + Send + Sync>;

#[derive(Clone)]
pub(super) struct Settings {
    pub(super) rate: Option<(u32, Duration)>,
    pub(super) message_bytes: usize,
    pub(super) ping: Option<Duration>,
    pub(super) idle: Option<Duration>,
    pub(super) queue: usize,
    pub(super) when_full: WhenFull,
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
            // Seconds of live data; with messages of a kilobyte, a quarter of a megabyte a client.
            queue: 256,
            when_full: WhenFull::DropOldest,
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
    /// The rate as governor wants it; `None`: no limit. An unusable one is a mistake that [`mistakes`](Self::mistakes)
    /// tells.
    pub(super) fn quota(&self) -> Option<Quota> {
        let (messages, per) = self.rate?;
        let messages = NonZeroU32::new(messages)?;
        // At once as many as the time allows, and then one whenever another has become due.
        Some(Quota::with_period(per / messages.get())?.allow_burst(messages))
    }

    /// The time that the rate speaks of.
    pub(super) fn window(&self) -> Duration {
        self.rate.map_or(Duration::ZERO, |(_, per)| per)
    }

    /// What is still read, to be refused in good order. Beyond it the connection is broken off, since what is left of
    /// such a message can't be skipped.
    pub(super) fn hard_limit(&self) -> usize {
        self.message_bytes.saturating_mul(2).saturating_add(64 * 1024)
    }

    /// What clients are told when the service goes.
    pub(super) fn shutdown_frame(&self) -> Utf8Bytes {
        let data = serde_json::json!({"message": self.shutdown_message, "reconnect": self.reconnect});
        let data = RawJson::from_value(&data).unwrap_or_else(|_| RawJson::empty_object());
        frame::push("server_shutdown", &data)
    }

    pub(super) fn mistakes(&self) -> Option<Mistake> {
        (self.rate.is_some() && self.quota().is_none()).then(|| {
            Mistake::new(
                "WebSocket::rate_limit needs at least one message and a time that isn't zero, for example \
             .rate_limit(60, Duration::from_secs(60))",
            )
        })
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("rate", &self.rate)
            .field("message_bytes", &self.message_bytes)
            .field("ping", &self.ping)
            .field("idle", &self.idle)
            .field("queue", &self.queue)
            .field("when_full", &self.when_full)
            .field("origins", &self.origins)
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}
