//! The caller on buses that are away, in doubt, or can't count: what no real one does when asked to.

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
use daebus_caller::{BusError, CallError, Caller, Fault, Retry};
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

#[tokio::test(start_paused = true)]
async fn a_bus_that_stays_away_is_told_and_not_a_service_that_is_slow() {
    let bus = Arc::new(Odd::new([]));
    let _service = answer(&bus).await;
    bus.state.send_replace(BusState::Away);
    let caller = caller(&bus);
    let started = Instant::now();
    let error = caller.send_request::<Value>("get", ()).await.unwrap_err();
    assert!(matches!(&error, CallError::Bus(BusError::Away { .. })), "{error:?}");
    assert!(error.is_not_run());
    assert!(started.elapsed() >= Duration::from_secs(5) && started.elapsed() < Duration::from_secs(6));
    assert_eq!(caller.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_bus_that_comes_back_gets_the_request_with_what_is_left_of_its_budget() {
    let bus = Arc::new(Odd::new([]));
    let budget = Arc::new(Mutex::new(None));
    let note = budget.clone();
    let _monitor = bus
        .subscribe(
            Topic::parse("svc"),
            Arc::new(move |message: Message| {
                let request: Value = serde_json::from_slice(&message.payload).unwrap();
                *note.lock().unwrap() = request["timeout_ms"].as_u64();
            }),
        )
        .await
        .unwrap();
    let _service = answer(&bus).await;
    bus.state.send_replace(BusState::Away);
    let job = caller(&bus).send_request::<Value>("get", 1).spawn();
    tokio::time::sleep(Duration::from_secs(3)).await;
    bus.state.send_replace(BusState::Ready);
    assert_eq!(job.await.unwrap(), 1);
    let budget = budget.lock().unwrap().unwrap();
    assert!((1900..=2000).contains(&budget), "{budget}");
}

#[tokio::test(start_paused = true)]
async fn a_publish_of_unknown_outcome_is_repeated_for_idempotent_actions_only() {
    let bus = Arc::new(Odd::new([unknown(), unknown()]));
    let _service = answer(&bus).await;
    let caller = caller(&bus);
    let error = caller.send_request::<Value>("add", ()).retry(3).await.unwrap_err();
    assert!(matches!(&error, CallError::Bus(BusError::Unknown { .. })), "{error:?}");
    assert!(!error.is_not_run());
    let retry = Retry::attempts(3);
    let answer = caller.__call::<Value, Fault, Value>("get", &1, true).retry(retry).await;
    assert_eq!(answer.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_not_sent_is_tried_again() {
    let full = Err(BusError::Full { location: "odd://".into() });
    let bus = Arc::new(Odd::new([full.clone(), Ok(0), full]));
    let _service = answer(&bus).await;
    let answer = caller(&bus).send_request::<Value>("add", 1).retry(4).await;
    assert_eq!(answer.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_rest_that_would_outlast_the_budget_is_not_taken() {
    let full = || Err(BusError::Full { location: "odd://".into() });
    let bus = Arc::new(Odd::new([full(), full()]));
    let _service = answer(&bus).await;
    let started = Instant::now();
    let retry = Retry::attempts(5).backoff(Duration::from_secs(60));
    let error = caller(&bus).send_request::<Value>("add", 1).retry(retry).await.unwrap_err();
    assert!(matches!(error, CallError::Bus(BusError::Full { .. })), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_count_of_one_node_proves_nothing() {
    let bus = Arc::new(Odd { counts_are_partial: true, ..Odd::new([Ok(0)]) });
    let caller = caller(&bus);
    let started = Instant::now();
    let error = caller.send_request::<Value>("get", ()).await.unwrap_err();
    assert!(
        matches!(&error, CallError::Timeout { after, .. } if *after == Duration::from_secs(5)),
        "{error:?}"
    );
    assert_eq!(started.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_bus_closed_by_whomever_ends_the_wait() {
    let bus = Arc::new(Odd::new([Ok(1)]));
    let caller = caller(&bus);
    let job = caller.send_request::<Value>("get", ()).spawn();
    while caller.in_flight() == 0 {
        tokio::task::yield_now().await;
    }
    bus.close().await;
    assert!(matches!(job.await, Err(CallError::Closed)));
    assert_eq!(caller.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_finds_no_place_among_the_publishes_was_not_sent() {
    /// How many publishes an outbox allows at once.
    const PLACES: usize = 1024;
    let bus = Arc::new(Odd::with((0..PLACES).map(|_| Outcome::Unreported)));
    let caller = caller(&bus).timeout(Duration::from_secs(60));
    let calls: Vec<_> = (0..PLACES).map(|_| caller.send_request::<Value>("get", ()).spawn()).collect();
    while bus.published.lock().unwrap().len() < PLACES {
        tokio::task::yield_now().await;
    }
    let call = caller.send_request::<Value>("get", ()).timeout(Duration::from_secs(1));
    let error = call.await.unwrap_err();
    assert!(matches!(&error, CallError::Bus(BusError::Full { .. })) && error.is_not_run(), "{error:?}");
    assert_eq!(bus.published.lock().unwrap().len(), PLACES);
    calls.iter().for_each(daebus_caller::Job::abort);
}

/// Makes a call that the bus accepts and no service answers, and aborts it while the bus is away.
async fn abort_while_away(bus: &Arc<Odd>, caller: &Caller) -> String {
    let job = caller.send_request::<Value>("get", ()).spawn();
    while bus.published.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    // The outcome of the publish arrives.
    tokio::time::sleep(Duration::from_millis(10)).await;
    bus.state.send_replace(BusState::Away);
    job.abort();
    assert!(job.await.is_err());
    bus.published.lock().unwrap()[0].1.clone()
}

#[tokio::test(start_paused = true)]
async fn a_cancel_waits_for_a_bus_that_is_away() {
    let bus = Arc::new(Odd::new([Ok(1)]));
    let caller = caller(&bus);
    let request_id = abort_while_away(&bus, &caller).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(bus.published.lock().unwrap().len(), 1);
    bus.state.send_replace(BusState::Ready);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(bus.published.lock().unwrap()[1..], [("$cancel".to_owned(), request_id)]);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_that_waits_does_not_keep_the_bus_open() {
    let bus = Arc::new(Odd::new([Ok(1)]));
    let caller = caller(&bus);
    abort_while_away(&bus, &caller).await;
    drop(caller);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(Arc::strong_count(&bus), 1);
}

/// Without a runtime there is nobody to send a `$cancel`; the call is forgotten all the same.
#[test]
fn a_call_dropped_outside_of_a_runtime_is_forgotten() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let bus = Arc::new(Odd::new([Ok(1)]));
    let caller = caller(&bus);
    let mut call = caller.send_request::<Value>("get", ()).into_future();
    runtime.block_on(async {
        while caller.in_flight() == 0 {
            tokio::select! {
                biased;
                _ = &mut call => panic!("nobody answers"),
                () = tokio::task::yield_now() => {}
            }
        }
    });
    drop(call);
    assert_eq!(caller.in_flight(), 0);
}

/// Calls can be made wherever a task can.
#[test]
fn a_call_is_send_and_static() {
    fn check<T: Send + 'static>(_: &T) {}
    let bus = Arc::new(Odd::new([]));
    let caller = caller(&bus);
    check(&caller.send_request::<Value>("get", ()).into_future());
    check(&caller.send_request::<Value>("get", ()).progress());
    check(&async move { caller.send_request::<Value>("get", ()).await });
}
