//! The bus of a test: an in-process bus that records all published messages.
//!
//! A subscription to `*` would receive the same messages, but it would count as a receiver of each message.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use daebus_caller::BusError;
use daebus_caller::bus::{
    Acquired, Bus, BusState, Claimed, Deliver, KeyExpiry, MemoryBus, SetOptions, Standing, Subscription,
    Topic,
};
use daebus_caller::wire::presence::Presence;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::watch;

/// A connection to the bus of a test.
#[derive(Debug)]
pub(super) struct Recorder {
    bus: Arc<MemoryBus>,
    log: Arc<Mutex<Vec<(String, Bytes)>>>,
}

impl Recorder {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { bus: MemoryBus::new(), log: Arc::default() })
    }

    /// Returns another connection, which can be closed independently.
    pub(super) fn another(&self) -> Arc<Self> {
        Arc::new(Self { bus: self.bus.another(), log: Arc::clone(&self.log) })
    }

    pub(super) fn published(&self, channel: &str) -> Vec<Bytes> {
        let log = self.log.lock();
        log.iter().filter(|(on, _)| on == channel).map(|(_, message)| message.clone()).collect()
    }
}

type BusFuture<'a, T> = BoxFuture<'a, Result<T, BusError>>;

impl Bus for Recorder {
    fn publish<'a>(&'a self, channel: &'a str, message: Bytes) -> BusFuture<'a, u64> {
        Box::pin(async move {
            if *self.bus.state().borrow() == BusState::Ready {
                let mut log = self.log.lock();
                log.push((channel.to_owned(), message.clone()));
            }
            self.bus.publish(channel, message).await
        })
    }

    fn subscribe(&self, topic: Topic, receiver: Arc<dyn Deliver>) -> BusFuture<'_, Subscription> {
        self.bus.subscribe(topic, receiver)
    }

    fn subscribe_once(&self, topic: Topic, receiver: Arc<dyn Deliver>) -> BusFuture<'_, Subscription> {
        self.bus.subscribe_once(topic, receiver)
    }

    fn subscribers<'a>(&'a self, channel: &'a str) -> BusFuture<'a, u64> {
        self.bus.subscribers(channel)
    }

    fn get<'a>(&'a self, key: &'a str) -> BusFuture<'a, Option<Bytes>> {
        self.bus.get(key)
    }

    fn set<'a>(&'a self, key: &'a str, value: Bytes, options: SetOptions) -> BusFuture<'a, bool> {
        self.bus.set(key, value, options)
    }

    fn delete<'a>(&'a self, key: &'a str) -> BusFuture<'a, bool> {
        self.bus.delete(key)
    }

    fn increment<'a>(&'a self, key: &'a str, by: i64) -> BusFuture<'a, i64> {
        self.bus.increment(key, by)
    }

    fn expire<'a>(&'a self, key: &'a str, ttl: Duration) -> BusFuture<'a, bool> {
        self.bus.expire(key, ttl)
    }

    fn set_add<'a>(&'a self, key: &'a str, member: &'a str) -> BusFuture<'a, bool> {
        self.bus.set_add(key, member)
    }

    fn set_remove<'a>(&'a self, key: &'a str, member: &'a str) -> BusFuture<'a, bool> {
        self.bus.set_remove(key, member)
    }

    fn set_members<'a>(&'a self, key: &'a str) -> BusFuture<'a, Vec<String>> {
        self.bus.set_members(key)
    }

    fn get_many<'a>(&'a self, keys: &'a [String]) -> BusFuture<'a, Vec<Option<Bytes>>> {
        self.bus.get_many(keys)
    }

    fn time_to_live<'a>(&'a self, key: &'a str) -> BusFuture<'a, KeyExpiry> {
        self.bus.time_to_live(key)
    }

    fn refresh<'a>(
        &'a self,
        presence: &'a Presence,
        ttl: Duration,
        index_ttl: Duration,
    ) -> BusFuture<'a, Standing> {
        self.bus.refresh(presence, ttl, index_ttl)
    }

    fn amend<'a>(&'a self, presence: &'a Presence, info: Bytes, ttl: Duration) -> BusFuture<'a, Standing> {
        self.bus.amend(presence, info, ttl)
    }

    fn withdraw<'a>(&'a self, presence: &'a Presence) -> BusFuture<'a, Standing> {
        self.bus.withdraw(presence)
    }

    fn claim<'a>(&'a self, presence: &'a Presence, key: &'a str, ttl: Duration) -> BusFuture<'a, Claimed> {
        self.bus.claim(presence, key, ttl)
    }

    fn acquire<'a>(&'a self, key: &'a str, holder: &'a str, ttl: Duration) -> BusFuture<'a, Acquired> {
        self.bus.acquire(key, holder, ttl)
    }

    fn renew<'a>(&'a self, key: &'a str, value: &'a str, ttl: Duration) -> BusFuture<'a, bool> {
        self.bus.renew(key, value, ttl)
    }

    fn release<'a>(&'a self, key: &'a str, value: &'a str) -> BusFuture<'a, bool> {
        self.bus.release(key, value)
    }

    fn sync(&self) -> BusFuture<'_, ()> {
        self.bus.sync()
    }

    fn state(&self) -> watch::Receiver<BusState> {
        self.bus.state()
    }

    fn location(&self) -> String {
        self.bus.location()
    }

    fn lost(&self) -> u64 {
        self.bus.lost()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.bus.close()
    }
}
