//! A bus whose failures the test decides: away, of unknown outcome, unable to count.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may, as tests may")]

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use daebus_caller::bus::{
    Acquired, Bus, BusState, Claimed, Deliver, KeyExpiry, MemoryBus, Message, SetOptions, Standing,
    Subscription, Topic,
};
use daebus_caller::wire::presence::Presence;
use daebus_caller::{BusError, Caller};
use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

/// An in-process bus whose failures the test decides.
#[derive(Debug)]
pub(crate) struct Odd {
    pub(crate) inner: Arc<dyn Bus>,
    pub(crate) state: watch::Sender<BusState>,
    /// The outcomes of the next requests. Later ones, and messages like `$cancel`, are published as usual.
    pub(crate) outcomes: Mutex<VecDeque<Outcome>>,
    pub(crate) counts_are_partial: bool,
    pub(crate) last_reconnect: Option<Instant>,
    /// The actions that were published, with their request ids or those that they cancel.
    pub(crate) published: Mutex<Vec<(String, String)>>,
    /// How many of the next subscriptions fail because the bus goes away.
    pub(crate) failing_subscriptions: AtomicU64,
    /// How often subscribers were counted.
    pub(crate) counted: AtomicU64,
    /// How many subscriptions were made.
    pub(crate) subscribed: AtomicU64,
    /// How often a set or several keys were read.
    pub(crate) read: AtomicU64,
    /// Whether these readings fail because the bus goes away.
    pub(crate) failing_reads: AtomicBool,
}

/// What happens to a request.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It is lost, and this is reported.
    Lost(Result<u64, BusError>),
    /// It is delivered, and this is reported.
    Delivered(Result<u64, BusError>),
    /// It is delivered, and nothing is ever reported.
    Unreported,
}

impl Odd {
    pub(crate) fn new(outcomes: impl IntoIterator<Item = Result<u64, BusError>>) -> Self {
        Self::with(outcomes.into_iter().map(Outcome::Lost))
    }

    pub(crate) fn with(outcomes: impl IntoIterator<Item = Outcome>) -> Self {
        Self {
            inner: MemoryBus::new(),
            state: watch::Sender::new(BusState::Ready),
            outcomes: Mutex::new(outcomes.into_iter().collect()),
            counts_are_partial: false,
            last_reconnect: None,
            published: Mutex::default(),
            failing_subscriptions: AtomicU64::new(0),
            counted: AtomicU64::new(0),
            subscribed: AtomicU64::new(0),
            read: AtomicU64::new(0),
            failing_reads: AtomicBool::new(false),
        }
    }

    /// Notes a message and returns what happens to it.
    fn note(&self, message: &Bytes) -> Option<Outcome> {
        let message: Value = serde_json::from_slice(message).unwrap_or_default();
        let action = message["action"].as_str()?.to_owned();
        let id = message.pointer("/payload/request_id").unwrap_or(&message["request_id"]);
        let is_request = !action.starts_with('$');
        self.published.lock().unwrap().push((action, id.as_str().unwrap_or_default().to_owned()));
        if is_request { self.outcomes.lock().unwrap().pop_front() } else { None }
    }
}

impl Bus for Odd {
    fn publish<'a>(&'a self, channel: &'a str, message: Bytes) -> BoxFuture<'a, Result<u64, BusError>> {
        match self.note(&message) {
            None => self.inner.publish(channel, message),
            Some(Outcome::Lost(outcome)) => Box::pin(async { outcome }),
            Some(Outcome::Delivered(outcome)) => Box::pin(async move {
                self.inner.publish(channel, message).await?;
                outcome
            }),
            Some(Outcome::Unreported) => Box::pin(async move {
                self.inner.publish(channel, message).await?;
                std::future::pending().await
            }),
        }
    }
    fn subscribe(
        &self,
        topic: Topic,
        receiver: Arc<dyn Deliver>,
    ) -> BoxFuture<'_, Result<Subscription, BusError>> {
        let left = self.failing_subscriptions.load(Ordering::Relaxed);
        if left > 0 {
            self.failing_subscriptions.store(left - 1, Ordering::Relaxed);
            return Box::pin(async { Err(BusError::Away { location: self.location() }) });
        }
        self.subscribed.fetch_add(1, Ordering::Relaxed);
        self.inner.subscribe(topic, receiver)
    }
    fn subscribe_once(
        &self,
        topic: Topic,
        receiver: Arc<dyn Deliver>,
    ) -> BoxFuture<'_, Result<Subscription, BusError>> {
        self.inner.subscribe_once(topic, receiver)
    }
    fn subscribers<'a>(&'a self, channel: &'a str) -> BoxFuture<'a, Result<u64, BusError>> {
        self.counted.fetch_add(1, Ordering::Relaxed);
        self.inner.subscribers(channel)
    }
    fn last_reconnect(&self) -> Option<Instant> {
        self.last_reconnect
    }
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, BusError>> {
        self.inner.get(key)
    }
    fn set<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        options: SetOptions,
    ) -> BoxFuture<'a, Result<bool, BusError>> {
        self.inner.set(key, value, options)
    }
    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<bool, BusError>> {
        self.inner.delete(key)
    }
    fn increment<'a>(&'a self, key: &'a str, by: i64) -> BoxFuture<'a, Result<i64, BusError>> {
        self.inner.increment(key, by)
    }
    fn expire<'a>(&'a self, key: &'a str, ttl: Duration) -> BoxFuture<'a, Result<bool, BusError>> {
        self.inner.expire(key, ttl)
    }
    fn set_add<'a>(&'a self, key: &'a str, member: &'a str) -> BoxFuture<'a, Result<bool, BusError>> {
        self.inner.set_add(key, member)
    }
    fn set_remove<'a>(&'a self, key: &'a str, member: &'a str) -> BoxFuture<'a, Result<bool, BusError>> {
        self.inner.set_remove(key, member)
    }
    fn set_members<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Vec<String>, BusError>> {
        self.read.fetch_add(1, Ordering::Relaxed);
        if self.failing_reads.load(Ordering::Relaxed) {
            return Box::pin(async { Err(BusError::Away { location: self.location() }) });
        }
        self.inner.set_members(key)
    }
    fn get_many<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, BusError>> {
        self.read.fetch_add(1, Ordering::Relaxed);
        if self.failing_reads.load(Ordering::Relaxed) {
            return Box::pin(async { Err(BusError::Away { location: self.location() }) });
        }
        self.inner.get_many(keys)
    }
    fn time_to_live<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<KeyExpiry, BusError>> {
        self.inner.time_to_live(key)
    }
    fn refresh<'a>(
        &'a self,
        presence: &'a Presence,
        ttl: Duration,
        index_ttl: Duration,
    ) -> BoxFuture<'a, Result<Standing, BusError>> {
        self.inner.refresh(presence, ttl, index_ttl)
    }
    fn amend<'a>(
        &'a self,
        presence: &'a Presence,
        info: Bytes,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Standing, BusError>> {
        self.inner.amend(presence, info, ttl)
    }
    fn withdraw<'a>(&'a self, presence: &'a Presence) -> BoxFuture<'a, Result<Standing, BusError>> {
        self.inner.withdraw(presence)
    }
    fn claim<'a>(
        &'a self,
        presence: &'a Presence,
        key: &'a str,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Claimed, BusError>> {
        self.inner.claim(presence, key, ttl)
    }
    fn acquire<'a>(
        &'a self,
        key: &'a str,
        holder: &'a str,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Acquired, BusError>> {
        self.inner.acquire(key, holder, ttl)
    }
    fn renew<'a>(
        &'a self,
        key: &'a str,
        value: &'a str,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, BusError>> {
        self.inner.renew(key, value, ttl)
    }
    fn release<'a>(&'a self, key: &'a str, value: &'a str) -> BoxFuture<'a, Result<bool, BusError>> {
        self.inner.release(key, value)
    }
    fn sync(&self) -> BoxFuture<'_, Result<(), BusError>> {
        self.inner.sync()
    }
    fn state(&self) -> watch::Receiver<BusState> {
        self.state.subscribe()
    }
    fn counts_are_partial(&self) -> bool {
        self.counts_are_partial
    }
    fn location(&self) -> String {
        "odd://".into()
    }
    fn close(&self) -> BoxFuture<'_, ()> {
        self.state.send_replace(BusState::Closed);
        self.inner.close()
    }
}

/// Answers every request with its payload.
pub(crate) async fn answer(bus: &Arc<Odd>) -> Subscription {
    let answering = bus.clone();
    let answer = move |message: Message| {
        let request: Value = serde_json::from_slice(&message.payload).unwrap();
        let reply = serde_json::json!({"payload": request["payload"], "request_id": request["request_id"]});
        let bus = answering.inner.clone();
        tokio::spawn(async move {
            bus.publish(request["reply_to"].as_str().unwrap(), reply.to_string().into()).await.unwrap();
        });
    };
    bus.subscribe(Topic::Channel("svc".into()), Arc::new(answer)).await.unwrap()
}

pub(crate) fn unknown() -> Result<u64, BusError> {
    Err(BusError::Unknown { location: "odd://".into(), reason: "the connection broke".into() })
}

pub(crate) fn caller(bus: &Arc<Odd>) -> Caller {
    Caller::on_bus(bus.clone(), "svc").unwrap()
}
