//! The bus on Redis, through fred. Only this folder uses the driver.
//!
//! `connection` is one connection, `reconnect` keeps two of them connected, `reader` delivers messages, `subscriptions`
//! records who listens to what, `scripts` and `coordination` are the operations of presence, claims and leases, `failure` is
//! why a command failed, and `state` is what all of them share. Where fred's
//! own behaviour is replaced, the comment there says why.

mod connection;
mod coordination;
mod failure;
mod reader;
mod reconnect;
mod scripts;
mod state;
mod subscriptions;
mod url;

use std::collections::HashMap;
use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use fred::clients::Client;
use fred::error::Error;
use fred::interfaces::{KeysInterface, PubsubInterface, SetsInterface};
use fred::types::{Expiration, SetOptions as Condition, Value};
use futures_util::future::{BoxFuture, FutureExt};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use self::connection::Connector;
use self::reconnect::Reconnector;
use self::scripts::Scripts;
use self::state::RedisBusState;
use self::subscriptions::Lifetime;
pub(super) use self::url::InvalidRedisUrl;
pub use self::url::RedisUrl;
use crate::bus::coordination::{Acquired, Claimed, KeyExpiry, Standing};
use crate::bus::interface::{Bus, BusState, SetOptions};
use crate::bus::message::Deliver;
use crate::bus::subscription::Subscription;
use crate::bus::time_to_live::whole_millis;
use crate::bus::topic::Topic;
use crate::error::BusError;
use crate::wire::presence::Presence;

/// A bus on a Redis or Valkey server.
///
/// It holds two connections, one for commands and one for subscriptions. A connection that is lost is replaced, for
/// as long as it takes, and every subscription restored; meanwhile everything fails at once with [`BusError::Away`].
/// A server that has gone silent is noticed within 12 seconds. A command that isn't answered within 5 seconds fails
/// with [`BusError::Unknown`] and is never repeated.
///
/// Several subscriptions of one bus to one topic are one subscription of the server's, and count as one receiver. A
/// subscription that is dropped ends on the server a moment later. While patterns that overlap are being added or
/// removed, a message may be heard twice. Redis's keyspace notifications aren't delivered: the driver keeps them
/// apart.
///
/// A Redis server that isn't told otherwise drops a subscriber for which more than 32 MB wait (its setting
/// `client-output-buffer-limit pubsub`), and a single message of that size does it: it is lost, and the bus reconnects.
///
/// Dropping the bus closes it, even where subscriptions are left.
pub struct RedisBus {
    shared: Arc<RedisBusState>,
    is_clustered: bool,
    scripts: Scripts,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl RedisBus {
    /// Connects, retrying until the server is there; a server that can't be reached is said once, in one line. To
    /// give up, drop the future.
    ///
    /// # Errors
    ///
    /// [`BusError::Refused`] when the server refuses us for good, for a wrong password for example.
    pub async fn connect(url: &RedisUrl) -> Result<Arc<dyn Bus>, BusError> {
        // Before the first await: dropping the bus closes whatever there is by then.
        let (bus, reconnector) = Self::prepare(url);
        // Boxed, since fred's futures are nested so deeply that a program awaiting this would exceed the compiler's limit.
        let pair = reconnector.connect().boxed().await?;
        bus.run_beside(reconnector.keep(pair));
        Ok(Arc::new(bus))
    }

    /// Returns immediately, while the bus is still away, and connects in the background for as long as it takes. A
    /// server that can't be reached, or that refuses the connection, is logged once.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    pub fn connect_lazily(url: &RedisUrl) -> Arc<dyn Bus> {
        let (bus, reconnector) = Self::prepare(url);
        bus.run_beside(async move {
            let pair = reconnector.connect_when_available().boxed().await;
            reconnector.keep(pair).await;
        });
        Arc::new(bus)
    }

    fn prepare(url: &RedisUrl) -> (Self, Reconnector) {
        let connector = Connector::new(url.config().clone());
        let is_clustered = connector.is_clustered();
        let shared = RedisBusState::new(url.to_string());
        let bus = Self {
            shared: Arc::clone(&shared),
            is_clustered,
            scripts: Scripts::new(),
            tasks: Mutex::default(),
        };
        (bus, Reconnector::new(shared, connector))
    }

    /// Runs the tasks of the bus, which end with it.
    fn run_beside(&self, keep: impl Future<Output = ()> + Send + 'static) {
        let tasks = [tokio::spawn(keep), tokio::spawn(Arc::clone(&self.shared).see_off())];
        self.tasks.lock().extend(tasks);
    }

    /// Runs one command on the connection for commands.
    async fn run<T, F>(&self, command: impl FnOnce(Client) -> F) -> Result<T, BusError>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let connection = self.shared.commands()?;
        // Pinned here: a future of the driver has 5 KB, and as an argument it would be stored twice.
        let command = pin!(command(connection.client().clone()));
        let outcome = connection.run(command).await;
        outcome.map_err(|failure| self.shared.error(failure))
    }

    fn stop(&self) -> Vec<JoinHandle<()>> {
        let tasks = std::mem::take(&mut *self.tasks.lock());
        for task in &tasks {
            task.abort();
        }
        self.shared.shut();
        tasks
    }
}

impl Bus for RedisBus {
    fn publish<'a>(&'a self, channel: &'a str, message: Bytes) -> BoxFuture<'a, Result<u64, BusError>> {
        Box::pin(self.run(move |client| async move { client.publish(channel, Value::Bytes(message)).await }))
    }

    fn subscribe(
        &self,
        topic: Topic,
        receiver: Arc<dyn Deliver>,
    ) -> BoxFuture<'_, Result<Subscription, BusError>> {
        Box::pin(self.shared.subscribe(topic, receiver, Lifetime::Bus))
    }

    fn subscribe_once(
        &self,
        topic: Topic,
        receiver: Arc<dyn Deliver>,
    ) -> BoxFuture<'_, Result<Subscription, BusError>> {
        Box::pin(self.shared.subscribe(topic, receiver, Lifetime::Connection))
    }

    fn subscribers<'a>(&'a self, channel: &'a str) -> BoxFuture<'a, Result<u64, BusError>> {
        Box::pin(async move {
            let counts: HashMap<String, u64> =
                self.run(move |client| async move { client.pubsub_numsub(channel).await }).await?;
            Ok(counts.get(channel).copied().unwrap_or_default())
        })
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, BusError>> {
        Box::pin(async move {
            let value: Value = self.run(move |client| async move { client.get(key).await }).await?;
            Ok(plain(value))
        })
    }

    fn set<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        options: SetOptions,
    ) -> BoxFuture<'a, Result<bool, BusError>> {
        let expire = options.ttl.map(|ttl| Expiration::PX(whole_millis(ttl).cast_signed()));
        let condition = options.only_if_absent.then_some(Condition::NX);
        Box::pin(async move {
            let written: Value = self
                .run(move |client| async move {
                    client.set(key, Value::Bytes(value), expire, condition, false).await
                })
                .await?;
            Ok(written != Value::Null)
        })
    }

    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<bool, BusError>> {
        Box::pin(async move {
            let deleted: i64 = self.run(move |client| async move { client.del(key).await }).await?;
            Ok(deleted > 0)
        })
    }

    fn increment<'a>(&'a self, key: &'a str, by: i64) -> BoxFuture<'a, Result<i64, BusError>> {
        Box::pin(self.run(move |client| async move { client.incr_by(key, by).await }))
    }

    fn expire<'a>(&'a self, key: &'a str, ttl: Duration) -> BoxFuture<'a, Result<bool, BusError>> {
        let millis = whole_millis(ttl).cast_signed();
        Box::pin(async move {
            let set: i64 =
                self.run(move |client| async move { client.pexpire(key, millis, None).await }).await?;
            Ok(set > 0)
        })
    }

    fn set_add<'a>(&'a self, key: &'a str, member: &'a str) -> BoxFuture<'a, Result<bool, BusError>> {
        Box::pin(async move {
            let added: i64 = self.run(move |client| async move { client.sadd(key, member).await }).await?;
            Ok(added > 0)
        })
    }

    fn set_remove<'a>(&'a self, key: &'a str, member: &'a str) -> BoxFuture<'a, Result<bool, BusError>> {
        Box::pin(async move {
            let removed: i64 = self.run(move |client| async move { client.srem(key, member).await }).await?;
            Ok(removed > 0)
        })
    }

    fn set_members<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Vec<String>, BusError>> {
        Box::pin(async move {
            let members: Vec<Bytes> =
                self.run(move |client| async move { client.smembers(key).await }).await?;
            Ok(members.iter().map(|member| String::from_utf8_lossy(member).into_owned()).collect())
        })
    }

    fn get_many<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, BusError>> {
        Box::pin(self.read_many(keys))
    }

    fn time_to_live<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<KeyExpiry, BusError>> {
        Box::pin(self.expiry(key))
    }

    fn refresh<'a>(
        &'a self,
        presence: &'a Presence,
        ttl: Duration,
        index_ttl: Duration,
    ) -> BoxFuture<'a, Result<Standing, BusError>> {
        Box::pin(self.refresh_presence(presence, ttl, index_ttl))
    }

    fn amend<'a>(
        &'a self,
        presence: &'a Presence,
        info: Bytes,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Standing, BusError>> {
        Box::pin(self.amend_presence(presence, info, ttl))
    }

    fn withdraw<'a>(&'a self, presence: &'a Presence) -> BoxFuture<'a, Result<Standing, BusError>> {
        Box::pin(self.withdraw_presence(presence))
    }

    fn claim<'a>(
        &'a self,
        presence: &'a Presence,
        key: &'a str,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Claimed, BusError>> {
        Box::pin(self.claim_key(presence, key, ttl))
    }

    fn acquire<'a>(
        &'a self,
        key: &'a str,
        holder: &'a str,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Acquired, BusError>> {
        Box::pin(self.acquire_lease(key, holder, ttl))
    }

    fn renew<'a>(
        &'a self,
        key: &'a str,
        value: &'a str,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, BusError>> {
        Box::pin(self.renew_lease(key, value, ttl))
    }

    fn release<'a>(&'a self, key: &'a str, value: &'a str) -> BoxFuture<'a, Result<bool, BusError>> {
        Box::pin(self.release_lease(key, value))
    }

    fn sync(&self) -> BoxFuture<'_, Result<(), BusError>> {
        Box::pin(self.shared.sync())
    }

    fn state(&self) -> watch::Receiver<BusState> {
        self.shared.state.subscribe()
    }

    fn current_state(&self) -> BusState {
        *self.shared.state.borrow()
    }

    fn last_reconnect(&self) -> Option<Instant> {
        self.shared.last_reconnect()
    }

    fn counts_are_partial(&self) -> bool {
        self.is_clustered
    }

    fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }

    fn location(&self) -> String {
        self.shared.location.clone()
    }

    fn redis(&self) -> Option<Client> {
        self.shared.commands().ok().map(|connection| connection.client().clone())
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            for task in self.stop() {
                // Aborted, so it ends at once; with it the last handles of the connections.
                let _ = task.await;
            }
        })
    }
}

impl fmt::Debug for RedisBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisBus").field("location", &self.shared.location).finish_non_exhaustive()
    }
}

impl Drop for RedisBus {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The value of a key; `None` if the key is absent.
fn plain(value: Value) -> Option<Bytes> {
    match value {
        Value::String(text) => Some(text.into_inner()),
        Value::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publish_stores_the_future_of_the_driver_once() {
        let url = RedisUrl::parse("redis://127.0.0.1").unwrap();
        let (bus, _reconnector) = RedisBus::prepare(&url);
        let client = fred::clients::Client::default();
        let driver = std::mem::size_of_val(&client.publish::<u64, _, _>("c", Value::Null));
        let publish = bus.publish("c", Bytes::new());
        let size = std::mem::size_of_val(&*publish);
        assert!(size < driver + driver / 2, "{size} bytes, of which the driver needs {driver}");
    }
}
