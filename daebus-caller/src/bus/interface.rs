//! The operations of a bus.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::watch;

use super::message::Deliver;
use super::subscription::Subscription;
use super::topic::Topic;
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

    /// Returns the driver's own client, for commands that this trait doesn't have; `None` if the bus is not on Redis or
    /// is away. The client lasts as long as its connection: call this method again instead of keeping the client.
    ///
    /// # Stability
    ///
    /// This is the one place where a type of the driver, [fred](https://docs.rs/fred), is part of the API, and Daebus's own
    /// versions don't cover it. It follows fred's major version and may change in any minor release. Use the driver
    /// through [`daebus_caller::fred`](crate::fred), which is the version that this method returns.
    #[cfg(feature = "redis")]
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

/// How [`Bus::set`] writes.
#[derive(Debug, Clone, Copy, Default)]
pub struct SetOptions {
    /// The key goes away after this time; `None`: it stays. Rounded up to whole milliseconds.
    pub ttl: Option<Duration>,
    /// Leave a key that is there alone.
    pub only_if_absent: bool,
}
