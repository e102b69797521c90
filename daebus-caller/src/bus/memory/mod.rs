//! The bus within one process: for tests, demos, and services that share a process.

mod coordination;
mod keys;
mod topics;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Weak};
use std::time::Duration;
use std::{fmt, future};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::watch;

use self::keys::Keys;
use self::topics::Topics;
use crate::bus::coordination::{Acquired, Claimed, KeyExpiry, Standing};
use crate::bus::interface::{Bus, BusState, SetOptions};
use crate::bus::message::Deliver;
use crate::bus::subscription::Subscription;
use crate::bus::topic::Topic;
use crate::error::BusError;
use crate::wire::presence::Presence;

/// One user's handle of an in-process bus.
///
/// [`publish`](Bus::publish) runs the receivers before it returns, without holding a lock: a receiver may publish or
/// subscribe itself. It counts each receiver, where Redis counts connections, and so counts one for all receivers of
/// a topic within a process. The keys' time to live runs on tokio's clock, also when that is paused.
pub struct MemoryBus {
    shared: Arc<MemoryBusState>,
    /// Tells this handle's subscriptions from those of others on the same bus.
    user: u64,
    state: watch::Sender<BusState>,
}

/// What the handles of one bus share.
struct MemoryBusState {
    /// `None`: anonymous.
    name: Option<String>,
    topics: Mutex<Topics>,
    keys: Mutex<Keys>,
}

/// The buses that have a name and a user.
static NAMED: LazyLock<Mutex<HashMap<String, Weak<MemoryBusState>>>> = LazyLock::new(Mutex::default);

static NEXT_USER: AtomicU64 = AtomicU64::new(0);

impl MemoryBus {
    /// A handle of the bus of that name, the same one within the whole process. Each call gives a user of its own,
    /// who can [`close`](Bus::close) without ending the others; with its last user the bus and its keys are gone.
    pub fn named(name: &str) -> Arc<dyn Bus> {
        let mut named = NAMED.lock();
        let shared = named.get(name).and_then(Weak::upgrade).unwrap_or_else(|| {
            let shared = Arc::new(MemoryBusState::new(Some(name.to_owned())));
            named.insert(name.to_owned(), Arc::downgrade(&shared));
            shared
        });
        drop(named);
        Self::of(shared)
    }

    /// Makes the bus of that name refuse to set keys and to add members to sets, as a server that is out of memory does,
    /// or accept these writes again. For tests.
    #[doc(hidden)]
    pub fn refuse_writes(name: &str, refuses: bool) {
        let shared = NAMED.lock().get(name).and_then(Weak::upgrade);
        if let Some(shared) = shared {
            shared.keys.lock().refuses_writes = refuses;
        }
    }

    /// A bus that nobody else can find.
    pub fn new() -> Arc<Self> {
        Self::of(Arc::new(MemoryBusState::new(None)))
    }

    /// Another user's handle of this bus.
    #[doc(hidden)]
    pub fn another(&self) -> Arc<Self> {
        Self::of(Arc::clone(&self.shared))
    }

    fn of(shared: Arc<MemoryBusState>) -> Arc<Self> {
        let user = NEXT_USER.fetch_add(1, Ordering::Relaxed);
        Arc::new(Self { shared, user, state: watch::Sender::new(BusState::Ready) })
    }

    fn open(&self) -> Result<&MemoryBusState, BusError> {
        match *self.state.borrow() {
            BusState::Closed => Err(BusError::Closed),
            BusState::Ready | BusState::Away => Ok(&self.shared),
        }
    }

    /// Runs one operation on the keys; a refusal is in Redis's words.
    fn keys<'a, T: Send + 'a>(
        &self,
        operation: impl FnOnce(&mut Keys) -> Result<T, &'static str>,
    ) -> BoxFuture<'a, Result<T, BusError>> {
        let outcome = self.open().and_then(|shared| {
            operation(&mut shared.keys.lock())
                .map_err(|reason| BusError::Refused { location: self.location(), reason: reason.to_owned() })
        });
        Box::pin(future::ready(outcome))
    }

    fn leave(&self) {
        self.state.send_replace(BusState::Closed);
        let gone = self.shared.topics.lock().remove_user(self.user);
        // Dropped here, past the lock: a receiver's own drop may do anything.
        drop(gone);
    }
}

impl Bus for MemoryBus {
    fn publish<'a>(&'a self, channel: &'a str, message: Bytes) -> BoxFuture<'a, Result<u64, BusError>> {
        Box::pin(async move {
            let receivers = self.open()?.topics.lock().matching(channel);
            // Without the lock: a receiver may publish or subscribe itself.
            Ok(receivers.deliver(channel, &message))
        })
    }

    fn subscribe(
        &self,
        topic: Topic,
        receiver: Arc<dyn Deliver>,
    ) -> BoxFuture<'_, Result<Subscription, BusError>> {
        Box::pin(async move {
            let id = self.open()?.topics.lock().add(self.user, topic.clone(), receiver);
            let shared = Arc::downgrade(&self.shared);
            Ok(Subscription::new(move || {
                if let Some(shared) = shared.upgrade() {
                    let gone = shared.topics.lock().remove(&topic, id);
                    drop(gone);
                }
            }))
        })
    }

    /// There is no connection to lose.
    fn subscribe_once(
        &self,
        topic: Topic,
        receiver: Arc<dyn Deliver>,
    ) -> BoxFuture<'_, Result<Subscription, BusError>> {
        self.subscribe(topic, receiver)
    }

    fn subscribers<'a>(&'a self, channel: &'a str) -> BoxFuture<'a, Result<u64, BusError>> {
        let count = self.open().map(|shared| shared.topics.lock().subscribers(channel));
        Box::pin(future::ready(count))
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, BusError>> {
        self.keys(|keys| keys.get(key))
    }

    fn set<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        options: SetOptions,
    ) -> BoxFuture<'a, Result<bool, BusError>> {
        self.keys(|keys| keys.set(key, value, options))
    }

    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<bool, BusError>> {
        self.keys(|keys| Ok(keys.delete(key)))
    }

    fn increment<'a>(&'a self, key: &'a str, by: i64) -> BoxFuture<'a, Result<i64, BusError>> {
        self.keys(|keys| keys.increment(key, by))
    }

    fn expire<'a>(&'a self, key: &'a str, ttl: Duration) -> BoxFuture<'a, Result<bool, BusError>> {
        self.keys(|keys| Ok(keys.expire(key, ttl)))
    }

    fn set_add<'a>(&'a self, key: &'a str, member: &'a str) -> BoxFuture<'a, Result<bool, BusError>> {
        self.keys(|keys| keys.set_add(key, member))
    }

    fn set_remove<'a>(&'a self, key: &'a str, member: &'a str) -> BoxFuture<'a, Result<bool, BusError>> {
        self.keys(|keys| keys.set_remove(key, member))
    }

    fn set_members<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Vec<String>, BusError>> {
        self.keys(|keys| keys.set_members(key))
    }

    fn get_many<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, BusError>> {
        // As MGET, which returns nothing for a key of another type.
        self.keys(|stored| Ok(keys.iter().map(|key| stored.get(key).unwrap_or_default()).collect()))
    }

    fn time_to_live<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<KeyExpiry, BusError>> {
        self.keys(|keys| Ok(keys.time_to_live(key)))
    }

    fn refresh<'a>(
        &'a self,
        presence: &'a Presence,
        ttl: Duration,
        index_ttl: Duration,
    ) -> BoxFuture<'a, Result<Standing, BusError>> {
        self.keys(|keys| keys.refresh(presence, ttl, index_ttl))
    }

    fn amend<'a>(
        &'a self,
        presence: &'a Presence,
        info: Bytes,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Standing, BusError>> {
        self.keys(|keys| keys.amend(presence, info, ttl))
    }

    fn withdraw<'a>(&'a self, presence: &'a Presence) -> BoxFuture<'a, Result<Standing, BusError>> {
        self.keys(|keys| keys.withdraw(presence))
    }

    fn claim<'a>(
        &'a self,
        presence: &'a Presence,
        key: &'a str,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Claimed, BusError>> {
        self.keys(|keys| keys.claim(presence, key, ttl))
    }

    fn acquire<'a>(
        &'a self,
        key: &'a str,
        holder: &'a str,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Acquired, BusError>> {
        self.keys(|keys| keys.acquire(key, holder, ttl))
    }

    fn renew<'a>(
        &'a self,
        key: &'a str,
        value: &'a str,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, BusError>> {
        self.keys(|keys| Ok(keys.renew(key, value, ttl)))
    }

    fn release<'a>(&'a self, key: &'a str, value: &'a str) -> BoxFuture<'a, Result<bool, BusError>> {
        self.keys(|keys| Ok(keys.release(key, value)))
    }

    fn sync(&self) -> BoxFuture<'_, Result<(), BusError>> {
        // Publishing runs the receivers, so nothing is on its way.
        Box::pin(future::ready(self.open().map(drop)))
    }

    fn state(&self) -> watch::Receiver<BusState> {
        self.state.subscribe()
    }

    fn current_state(&self) -> BusState {
        *self.state.borrow()
    }

    fn location(&self) -> String {
        format!("memory://{}", self.shared.name.as_deref().unwrap_or("(anonymous)"))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.leave();
        Box::pin(future::ready(()))
    }
}

impl fmt::Debug for MemoryBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryBus").field("location", &self.location()).finish_non_exhaustive()
    }
}

impl Drop for MemoryBus {
    fn drop(&mut self) {
        self.leave();
    }
}

impl MemoryBusState {
    fn new(name: Option<String>) -> Self {
        Self { name, topics: Mutex::default(), keys: Mutex::default() }
    }
}

impl Drop for MemoryBusState {
    fn drop(&mut self) {
        let Some(name) = &self.name else { return };
        let mut named = NAMED.lock();
        // By now there may be a new bus of this name.
        if named.get(name).is_some_and(|shared| shared.strong_count() == 0) {
            named.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::message::Message;

    fn is_known(name: &str) -> bool {
        NAMED.lock().contains_key(name)
    }

    #[tokio::test]
    async fn a_named_bus_is_gone_with_its_last_user() {
        let one = MemoryBus::named("last-user");
        let two = MemoryBus::named("last-user");
        one.set("k", Bytes::from("v"), SetOptions::default()).await.unwrap();
        assert_eq!(two.get("k").await.unwrap().unwrap(), "v");
        drop(one);
        assert!(two.get("k").await.unwrap().is_some());
        drop(two);
        assert!(!is_known("last-user"));
        assert!(MemoryBus::named("last-user").get("k").await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_subscription_leaves_nothing_behind() {
        let bus = MemoryBus::new();
        let nothing: Arc<dyn Deliver> = Arc::new(|_: Message| {});
        for topic in ["a", "a", "b*", "b*", "c"] {
            let subscription = bus.subscribe(Topic::parse(topic), Arc::clone(&nothing)).await.unwrap();
            drop(subscription);
        }
        assert!(bus.shared.topics.lock().is_empty());
        let other = bus.another();
        let _kept = other.subscribe(Topic::parse("a"), Arc::clone(&nothing)).await.unwrap();
        other.close().await;
        assert!(bus.shared.topics.lock().is_empty());
        assert_eq!(Arc::strong_count(&nothing), 1);
    }

    #[tokio::test]
    async fn a_receiver_may_use_the_bus_itself() {
        let bus = MemoryBus::new();
        let heard = Arc::new(AtomicU64::new(0));
        let _end = bus
            .subscribe(Topic::parse("second"), {
                let heard = Arc::clone(&heard);
                Arc::new(move |_: Message| _ = heard.fetch_add(1, Ordering::SeqCst))
            })
            .await
            .unwrap();
        let _end = bus
            .subscribe(Topic::parse("first"), {
                let bus = bus.another();
                Arc::new(move |message: Message| {
                    let nothing: Arc<dyn Deliver> = Arc::new(|_: Message| {});
                    drop(futures_util::FutureExt::now_or_never(bus.subscribe(Topic::parse("x"), nothing)));
                    let _ = futures_util::FutureExt::now_or_never(bus.publish("second", message.payload));
                })
            })
            .await
            .unwrap();
        assert_eq!(bus.publish("first", Bytes::new()).await.unwrap(), 1);
        assert_eq!(heard.load(Ordering::SeqCst), 1);
    }
}
