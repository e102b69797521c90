//! The operations of a bus.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::Instant;

use super::coordination::{Acquired, Claimed, KeyExpiry, Standing};
use super::message::Deliver;
use super::subscription::Subscription;
use super::topic::Topic;
use crate::error::BusError;
use crate::wire::presence::Presence;

/// The delay before a bus that reported itself ready, but had no connection, is used again: it is about to report that it is
/// away.
pub const STALE_STATE: Duration = Duration::from_millis(10);

/// The operations of a bus.
///
/// Delivery is at most once, as in Redis pub/sub: a message that is published while nobody is subscribed is lost.
pub trait Bus: fmt::Debug + Send + Sync + 'static {
    /// Publishes a message and returns how many connections received it.
    ///
    /// Messages of one task to one channel arrive in the order they were published in. Returns [`BusError::Away`]
    /// immediately if the bus is away.
    fn publish<'a>(&'a self, channel: &'a str, message: Bytes) -> BoxFuture<'a, Result<u64, BusError>>;

    /// Delivers every message on `topic` to `receiver`, until the subscription is dropped.
    ///
    /// Returns after the bus has confirmed the subscription: messages published from then on arrive. The bus restores the
    /// subscription after a reconnect.
    fn subscribe(
        &self,
        topic: Topic,
        receiver: Arc<dyn Deliver>,
    ) -> BoxFuture<'_, Result<Subscription, BusError>>;

    /// Delivers messages as [`subscribe`](Self::subscribe) does, until the connection for subscriptions is lost. The bus then
    /// drops `receiver` and doesn't restore the subscription.
    fn subscribe_once(
        &self,
        topic: Topic,
        receiver: Arc<dyn Deliver>,
    ) -> BoxFuture<'_, Result<Subscription, BusError>>;

    /// Returns how many connections are subscribed to the channel itself, patterns not counted (`PUBSUB NUMSUB`).
    fn subscribers<'a>(&'a self, channel: &'a str) -> BoxFuture<'a, Result<u64, BusError>>;

    /// Reads a key.
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, BusError>>;

    /// Writes a key and returns whether it was written, which only [`SetOptions::only_if_absent`] can prevent.
    fn set<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        options: SetOptions,
    ) -> BoxFuture<'a, Result<bool, BusError>>;

    /// Deletes a key and returns whether it existed.
    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<bool, BusError>>;

    /// Adds `by` to the integer at `key` and returns the sum. An absent key counts as 0.
    fn increment<'a>(&'a self, key: &'a str, by: i64) -> BoxFuture<'a, Result<i64, BusError>>;

    /// Sets a key's time to live and returns whether the key existed.
    fn expire<'a>(&'a self, key: &'a str, ttl: Duration) -> BoxFuture<'a, Result<bool, BusError>>;

    /// Adds a member to the set at `key` and returns whether it is new.
    fn set_add<'a>(&'a self, key: &'a str, member: &'a str) -> BoxFuture<'a, Result<bool, BusError>>;

    /// Removes a member from the set at `key` and returns whether it was a member.
    fn set_remove<'a>(&'a self, key: &'a str, member: &'a str) -> BoxFuture<'a, Result<bool, BusError>>;

    /// Returns the members of the set at `key`, in no order.
    fn set_members<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Vec<String>, BusError>>;

    /// Reads several keys. A key that is absent or holds a set reads as `None`.
    fn get_many<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, BusError>>;

    /// Returns when a key expires.
    fn time_to_live<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<KeyExpiry, BusError>>;

    /// Extends the life of an instance's info key by `ttl` and of the set of its service's instances by `index_ttl`, and
    /// adds the instance to the set. Changes nothing unless the info key holds the run.
    fn refresh<'a>(
        &'a self,
        presence: &'a Presence,
        ttl: Duration,
        index_ttl: Duration,
    ) -> BoxFuture<'a, Result<Standing, BusError>>;

    /// Replaces an instance's info, which then lives for `ttl`. Changes nothing unless the info key holds the run.
    fn amend<'a>(
        &'a self,
        presence: &'a Presence,
        info: Bytes,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Standing, BusError>>;

    /// Deletes an instance's info key and removes the instance from the set of its service's instances. Changes nothing
    /// unless the info key holds the run.
    fn withdraw<'a>(&'a self, presence: &'a Presence) -> BoxFuture<'a, Result<Standing, BusError>>;

    /// Claims `key` for an instance, for `ttl`, with [`Presence::holder`] as the value. Changes nothing unless the
    /// instance's info key holds the run.
    ///
    /// After [`BusError::Unknown`] the claim may be in force: [`Bus::get`] then returns the instance's own value.
    fn claim<'a>(
        &'a self,
        presence: &'a Presence,
        key: &'a str,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Claimed, BusError>>;

    /// Acquires the lease `key` for `holder`, for `ttl`.
    fn acquire<'a>(
        &'a self,
        key: &'a str,
        holder: &'a str,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Acquired, BusError>>;

    /// Extends a lease by `ttl` if its value is `value`, and returns whether it is.
    fn renew<'a>(
        &'a self,
        key: &'a str,
        value: &'a str,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, BusError>>;

    /// Deletes a lease if its value is `value`, and returns whether it was.
    fn release<'a>(&'a self, key: &'a str, value: &'a str) -> BoxFuture<'a, Result<bool, BusError>>;

    /// Returns when every message that was sent to this bus's subscriptions before the call has been delivered.
    ///
    /// On Redis this is a PING on the connection for subscriptions.
    fn sync(&self) -> BoxFuture<'_, Result<(), BusError>>;

    /// Returns a receiver of the bus's state and of its changes.
    fn state(&self) -> watch::Receiver<BusState>;

    /// Returns the bus's state at this moment.
    fn current_state(&self) -> BusState {
        *self.state().borrow()
    }

    /// Returns when the bus last became ready again after an outage; `None` if it never did. The first connection
    /// doesn't count. The instant is one of [`tokio::time`], as [`Message::received`](crate::bus::Message::received) is: compare
    /// it with tokio's clock, which a test may pause.
    ///
    /// For some seconds after a reconnect, peers that lost their connection in the same outage may not have restored their
    /// subscriptions: a message that reached no receiver may reach one later.
    fn last_reconnect(&self) -> Option<Instant> {
        None
    }

    /// Returns whether receiver counts cover only one node, as in a Redis Cluster.
    fn counts_are_partial(&self) -> bool {
        false
    }

    /// Returns the URL of the bus with its password masked, for logs.
    fn location(&self) -> String;

    /// Returns how many messages were lost because they arrived faster than they could be delivered.
    fn lost(&self) -> u64 {
        0
    }

    /// Returns the driver's own client, for commands that this trait doesn't have; `None` if the bus is not on Redis or
    /// is away. The client lasts as long as its connection: call this method again instead of keeping the client.
    ///
    /// # Stability
    ///
    /// This method, and `Cache::redis` of `daebus`, which calls it, are the only ones with a type of the driver,
    /// [fred](https://docs.rs/fred), in the API. Daebus's own versions don't cover that type: it follows fred's major version
    /// and may change in any minor release. Use the driver through [`daebus_caller::fred`](crate::fred), which is the version
    /// that this method returns.
    #[cfg(feature = "redis")]
    fn redis(&self) -> Option<fred::clients::Client> {
        None
    }

    /// Closes the bus: sets its state to [`BusState::Closed`], and then ends every subscription by dropping its receiver.
    /// Later calls return [`BusError::Closed`].
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// The state of a bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BusState {
    /// Connected, and every subscription is confirmed.
    Ready,
    /// Not connected, or restoring subscriptions. The bus reconnects by itself.
    Away,
    /// Closed with [`Bus::close`], for good.
    Closed,
}

/// Options of [`Bus::set`].
#[derive(Debug, Clone, Copy, Default)]
pub struct SetOptions {
    /// The key expires after this time; `None` keeps it. Rounded up to whole milliseconds.
    pub ttl: Option<Duration>,
    /// Writes only if the key doesn't exist.
    pub only_if_absent: bool,
}
