//! Final replies whose caller is not subscribed when they are published: after a restart of Redis above all.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use daebus::Service;
use daebus::prelude::*;
use daebus_caller::bus::{
    self, Bus, BusState, BusUrl, Queue, QueueLimits, QueueReceiver, Subscription, Topic,
};
use daebus_tests::{RedisServer, eventually, within};
use tokio::sync::{Semaphore, mpsc};

/// Counts the handlers that have started, and holds them until it is opened.
#[derive(Debug, Clone)]
struct Gate {
    started: mpsc::UnboundedSender<u64>,
    open: Arc<Semaphore>,
}

impl Gate {
    fn new() -> (Self, mpsc::UnboundedReceiver<u64>) {
        let (started, receiver) = mpsc::unbounded_channel();
        (Self { started, open: Arc::new(Semaphore::new(0)) }, receiver)
    }

    fn open(&self) {
        self.open.add_permits(10_000);
    }
}

#[action("double")]
async fn double(Payload(n): Payload<u64>, State(gate): State<Gate>, progress: Progress<u64>) -> u64 {
    let _ = progress.send(n).await;
    let _ = gate.started.send(n);
    if let Ok(permit) = gate.open.acquire().await {
        permit.forget();
    }
    2 * n
}

async fn serve(redis: &RedisServer, gate: &Gate) -> Service {
    let app = Daebus::new("replies").bus(redis.url()).state(gate.clone()).concurrency(1000);
    app.register(blueprint_of!["b"; double]).start().await.unwrap()
}

async fn connect(redis: &RedisServer) -> Arc<dyn Bus> {
    bus::connect(&BusUrl::parse(&redis.url()).unwrap()).await.unwrap()
}

/// How often the server has run a command since it started.
fn commands(redis: &RedisServer, name: &str) -> u64 {
    let stats = redis.cli(&["INFO", "commandstats"]);
    let calls = stats.split(&format!("cmdstat_{name}:calls=")).nth(1).unwrap_or_default();
    calls.split(',').next().unwrap_or_default().parse().unwrap_or_default()
}

/// Publishes a request whose inbox, `caller:late`, nobody is subscribed to.
async fn request(bus: &Arc<dyn Bus>, n: u64) {
    let request = json!({
        "action": "double", "payload": n, "reply_to": "caller:late", "request_id": n.to_string(), "timeout_ms": 60_000,
    });
    assert_eq!(bus.publish("replies", Bytes::from(request.to_string())).await.unwrap(), 1);
}

async fn inbox(bus: &Arc<dyn Bus>) -> (Subscription, QueueReceiver) {
    let (queue, replies) = Queue::drop_oldest(QueueLimits::default());
    (bus.subscribe(Topic::Channel("caller:late".into()), queue).await.unwrap(), replies)
}

async fn reply(replies: &mut QueueReceiver) -> Value {
    serde_json::from_slice(&within(replies.recv()).await.unwrap().payload).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_final_reply_is_repeated_until_the_inbox_has_a_receiver_and_progress_is_not() {
    let redis = RedisServer::start();
    let (gate, mut started) = Gate::new();
    let service = serve(&redis, &gate).await;
    let bus = connect(&redis).await;
    for n in 1..=3 {
        request(&bus, n).await;
        within(started.recv()).await.unwrap();
    }
    gate.open();
    // Three requests, three updates, and at least one reply.
    eventually("a reply is published", async || commands(&redis, "publish") >= 7).await;
    let (_subscription, mut replies) = inbox(&bus).await;
    let mut payloads = Vec::new();
    for _ in 1..=3 {
        let reply = reply(&mut replies).await;
        assert_eq!((&reply["status"], &reply["final"]), (&json!("success"), &json!(true)), "{reply}");
        payloads.push(reply["payload"].as_u64().unwrap());
    }
    payloads.sort_unstable();
    assert_eq!(payloads, [2, 4, 6]);
    within(service.stop()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_monitor_counts_as_no_receiver_after_a_reconnect() {
    let mut redis = RedisServer::start();
    let (gate, mut started) = Gate::new();
    let service = serve(&redis, &gate).await;
    let bus = connect(&redis).await;
    let (queue, _heard) = Queue::drop_oldest(QueueLimits::default());
    let _monitor = bus.subscribe(Topic::parse("*"), queue).await.unwrap();
    let request = json!({"action": "double", "payload": 4, "reply_to": "caller:late", "request_id": "4"});
    bus.publish("replies", Bytes::from(request.to_string())).await.unwrap();
    within(started.recv()).await.unwrap();
    redis.kill();
    within(bus.state().wait_for(|state| *state == BusState::Away)).await.unwrap();
    eventually("the service notices", async || service.cache().get::<u64>("x").await.is_err()).await;
    redis.run();
    // The monitor is restored first.
    within(bus.state().wait_for(|state| *state == BusState::Ready)).await.unwrap();
    gate.open();
    eventually("the service looks for the inbox", async || {
        commands(&redis, "publish") + commands(&redis, "pubsub|numsub") > 0
    })
    .await;
    let (_subscription, mut replies) = inbox(&bus).await;
    assert_eq!(reply(&mut replies).await["payload"], 8);
    within(service.stop()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_service_delivers_what_it_repeats() {
    let redis = RedisServer::start();
    let (gate, mut started) = Gate::new();
    let service = serve(&redis, &gate).await;
    let bus = connect(&redis).await;
    request(&bus, 5).await;
    within(started.recv()).await.unwrap();
    let shutdown = service.shutdown();
    let stopping = tokio::spawn(service.stop());
    within(shutdown.requested()).await;
    gate.open();
    eventually("the reply is published", async || commands(&redis, "publish") >= 3).await;
    let (_subscription, mut replies) = inbox(&bus).await;
    assert_eq!(reply(&mut replies).await["payload"], 10);
    within(stopping).await.unwrap().unwrap();
}

/// Calls that are with their handlers when Redis dies; it is away for `outage`.
async fn restart(calls: u64, outage: Duration, budget: Duration) -> (usize, Vec<CallError>) {
    const CALLERS: u64 = 10;
    let mut redis = RedisServer::start();
    let (gate, mut started) = Gate::new();
    let service = serve(&redis, &gate).await;
    let mut jobs = Vec::new();
    for _ in 0..CALLERS {
        let caller = Caller::connect(&redis.url(), "replies").await.unwrap();
        jobs.extend(
            (0..calls / CALLERS).map(|n| caller.send_request::<u64>("double", n).timeout(budget).spawn()),
        );
    }
    for _ in 0..calls {
        within(started.recv()).await.unwrap();
    }
    redis.kill();
    gate.open();
    // Not a wait for an event: the length of the outage.
    tokio::time::sleep(outage).await;
    redis.run();
    let (mut answered, mut errors) = (0, Vec::new());
    for job in jobs {
        match within(job).await {
            Ok(_) => answered += 1,
            Err(error) => errors.push(error),
        }
    }
    within(service.stop()).await.unwrap();
    (answered, errors)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_is_answered_after_a_short_outage() {
    let (answered, errors) = restart(100, Duration::from_millis(800), Duration::from_secs(30)).await;
    assert_eq!(answered, 100, "{errors:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_is_answered_after_an_outage_of_several_seconds() {
    let (answered, errors) = restart(50, Duration::from_secs(6), Duration::from_secs(30)).await;
    assert_eq!(answered, 50, "{errors:?}");
}
