//! The bus: publish, subscribe, and a small key-value side. In process or on Redis, behind one trait.

mod glob;
mod memory;
mod outbox;
mod queue;
mod redis;
mod url;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::watch;

pub use self::memory::MemoryBus;
pub use self::outbox::Outbox;
pub use self::queue::{Queue, QueueLimits, QueueReceiver};
pub use self::redis::RedisBus;
pub use self::url::{BusUrl, RedisUrl};
use crate::error::BusError;

/// Where messages go and come from.
///
/// A message published while nobody listens is gone: delivery is at most once, as Redis pub/sub is.
pub trait Bus: fmt::Debug + Send + Sync + 'static {
    /// Publishes a message and returns how many connections received it.
    ///
    /// Messages of one task to one channel arrive in the order they were published in. A bus that is away fails at
    /// once with [`BusError::Away`]; [`Outbox::publish`] is the way to wait for it.
    fn publish<'a>(&'a self, channel: &'a str, message: Bytes) -> BoxFuture<'a, Result<u64, BusError>>;

    /// Hands every message on `topic` to `receiver`, until the subscription is dropped.
    ///
    /// When this returns, the bus has confirmed the subscription: what is published from now on arrives. The bus
    /// restores it after a reconnect.
    fn subscribe(
        &self,
        topic: Topic,
        receiver: Arc<dyn Deliver>,
    ) -> BoxFuture<'_, Result<Subscription, BusError>>;

    /// How many connections are subscribed to the channel itself, patterns not counted (`PUBSUB NUMSUB`).
    fn subscribers<'a>(&'a self, channel: &'a str) -> BoxFuture<'a, Result<u64, BusError>>;

    /// Reads a key.
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, BusError>>;

    /// Writes a key; returns whether it was written, which only [`SetOptions::only_if_absent`] can prevent.
    fn set<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        options: SetOptions,
    ) -> BoxFuture<'a, Result<bool, BusError>>;

    /// Deletes a key; returns whether it was there.
    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<bool, BusError>>;

    /// Adds `by` to the whole number at `key`, an absent one counting as 0, and returns the sum.
    fn increment<'a>(&'a self, key: &'a str, by: i64) -> BoxFuture<'a, Result<i64, BusError>>;

    /// Sets a key's time to live; returns whether the key was there.
    fn expire<'a>(&'a self, key: &'a str, ttl: Duration) -> BoxFuture<'a, Result<bool, BusError>>;

    /// Adds a member to the set at `key`; returns whether it is new.
    fn set_add<'a>(&'a self, key: &'a str, member: &'a str) -> BoxFuture<'a, Result<bool, BusError>>;

    /// Removes a member from the set at `key`; returns whether it was there.
    fn set_remove<'a>(&'a self, key: &'a str, member: &'a str) -> BoxFuture<'a, Result<bool, BusError>>;

    /// The members of the set at `key`, in no order.
    fn set_members<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Vec<String>, BusError>>;

    /// Whether the bus can be used now, as it changes.
    fn state(&self) -> watch::Receiver<BusState>;

    /// Whether receiver counts cover one node only, as in a Redis Cluster.
    fn counts_are_partial(&self) -> bool {
        false
    }

    /// Where the bus is, for people: the URL with its password masked.
    fn location(&self) -> String;

    /// How many messages were lost because they came faster than they could be handed over.
    fn lost(&self) -> u64 {
        0
    }

    /// The driver's own client for what this trait doesn't have; `None` when the bus isn't on Redis, or is away. It
    /// lasts as long as the connection does: ask anew rather than keep it.
    fn redis(&self) -> Option<fred::clients::Client> {
        None
    }

    /// Leaves the bus; ends every subscription. Later calls fail with [`BusError::Closed`].
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// Whether the bus can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BusState {
    /// Connected, and every subscription is confirmed.
    Ready,
    /// Not connected, or subscriptions are being restored. The bus reconnects by itself.
    Away,
    /// Closed by us, for good.
    Closed,
}

/// What a subscription listens to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Topic {
    /// One channel.
    Channel(Arc<str>),
    /// Every channel that a Redis pattern matches: `*`, `?`, `[a-c]`, `[^x]`, and `\` to take the next one literally.
    Pattern(Arc<str>),
}

impl Topic {
    /// A pattern when `name` has one of `*`, `?`, `[` or `\`, else a channel.
    pub fn parse(name: &str) -> Self {
        if name.contains(['*', '?', '[', '\\']) {
            Self::Pattern(name.into())
        } else {
            Self::Channel(name.into())
        }
    }

    /// The channel's name or the pattern.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Channel(name) | Self::Pattern(name) => name,
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A message as the bus hands it over.
#[derive(Debug, Clone)]
pub struct Message {
    /// The channel it was published on.
    pub channel: Arc<str>,
    /// What was published.
    pub payload: Bytes,
}

/// Takes messages from the bus.
///
/// Called in the bus's reader: it must not block, and must not panic. What takes time goes into a [`Queue`].
pub trait Deliver: Send + Sync + 'static {
    /// Takes one message.
    fn deliver(&self, message: Message);
}

impl<F: Fn(Message) + Send + Sync + 'static> Deliver for F {
    fn deliver(&self, message: Message) {
        self(message);
    }
}

/// A subscription; dropping it ends it, and what is on its way then is lost. [`leave`](Self::leave) loses nothing.
#[must_use = "a subscription ends when it is dropped"]
pub struct Subscription {
    leave: Option<Leave>,
    end: Option<Box<dyn FnOnce() + Send + Sync>>,
}

/// Tells the server, and waits until it knows.
type Leave = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send + Sync>;

impl Subscription {
    /// `end` runs once, when the subscription is dropped. It must not block.
    pub fn new(end: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self { leave: None, end: Some(Box::new(end)) }
    }

    /// `leave` comes before `end` when the subscription is [left](Self::leave): when it is done, nothing more is sent
    /// to this subscription, and all that was sent before has been delivered.
    pub fn leaving(mut self, leave: impl FnOnce() -> BoxFuture<'static, ()> + Send + Sync + 'static) -> Self {
        self.leave = Some(Box::new(leave));
        self
    }

    /// Ends the subscription in order: who publishes counts on us until the bus has confirmed that we are gone, and
    /// what they publish until then is still delivered.
    pub async fn leave(mut self) {
        if let Some(leave) = self.leave.take() {
            leave().await;
        }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subscription")
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(end) = self.end.take() {
            end();
        }
    }
}

/// How [`Bus::set`] writes.
#[derive(Debug, Clone, Copy, Default)]
pub struct SetOptions {
    /// The key goes away after this time; `None`: it stays. Rounded up to whole milliseconds.
    pub ttl: Option<Duration>,
    /// Leave a key that is there alone.
    pub only_if_absent: bool,
}

/// Connects to the bus that `url` names, retrying until it is there: an absent Redis is said once, in one line.
///
/// # Errors
///
/// When the URL can't be read, or the server refuses us for good (wrong password, for example).
pub async fn connect(url: &BusUrl) -> Result<Arc<dyn Bus>, BusError> {
    match url {
        BusUrl::Memory(name) => Ok(MemoryBus::named(name)),
        BusUrl::Redis(url) => {
            // Boxed as a trait object: fred's futures are nested so deeply that an `async fn main` around them would
            // reach the compiler's depth limit.
            let connecting: BoxFuture<'_, _> = Box::pin(RedisBus::connect(url));
            connecting.await
        }
    }
}

/// Returns at once with a bus that may be away yet, and connects in the background for as long as it takes.
///
/// # Errors
///
/// When the URL can't be used.
///
/// # Panics
///
/// Outside of a tokio runtime, for a bus on a server.
pub fn connect_lazily(url: &BusUrl) -> Result<Arc<dyn Bus>, BusError> {
    match url {
        BusUrl::Memory(name) => Ok(MemoryBus::named(name)),
        BusUrl::Redis(url) => RedisBus::connect_lazily(url),
    }
}

/// A time to live in the whole milliseconds Redis counts in, rounded up, and at most a hundred years, past which
/// Redis's sum with the current time could overflow.
fn whole_millis(ttl: Duration) -> u64 {
    const HUNDRED_YEARS: u64 = 100 * 365 * 86_400 * 1000;
    u64::try_from(ttl.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX).min(HUNDRED_YEARS)
}
