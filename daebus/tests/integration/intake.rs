//! The intake of requests: no message and no configuration ends its loop.

#![allow(clippy::unwrap_used, clippy::expect_used)] // clippy's own exception ends at the test functions

use std::collections::{BTreeMap, HashSet};
use std::future::IntoFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use daebus::caller::bus::{self, Bus, BusUrl, Message, Topic};
use daebus::prelude::*;
use daebus_tests_support::{eventually, next, within};
use tokio::sync::mpsc;
use tracing::Subscriber;
use tracing::span::{Attributes, Id};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::{Layer, Registry};

use crate::thread_log::ThreadLog;

async fn echo(Payload(value): Payload<Value>) -> Json<Value> {
    Json(value)
}

async fn receive(Payload(value): Payload<Value>, State(received): State<mpsc::UnboundedSender<Value>>) {
    received.send(value).unwrap();
}

fn app(bus: &str) -> Daebus {
    Daebus::new("svc").bus(format!("memory://{bus}"))
}

/// A peer that publishes requests without a caller and reads the replies on its inbox.
struct Peer {
    bus: Arc<dyn Bus>,
    replies: mpsc::UnboundedReceiver<Value>,
    _inbox: bus::Subscription,
}

impl Peer {
    async fn on(name: &str) -> Self {
        let bus = bus::connect(&BusUrl::parse(&format!("memory://{name}")).unwrap()).await.unwrap();
        let (received, replies) = mpsc::unbounded_channel();
        let take =
            move |message: Message| received.send(serde_json::from_slice(&message.payload).unwrap()).unwrap();
        let inbox = bus.subscribe(Topic::Channel("caller:x".into()), Arc::new(take)).await.unwrap();
        Self { bus, replies, _inbox: inbox }
    }

    async fn send(&self, request: &Value) {
        self.bus.publish("svc", request.to_string().into()).await.unwrap();
    }

    /// Sends a request with this id and without `timeout_ms`, as a Python caller does.
    async fn request(&self, action: &str, id: u32) {
        let request = json!({"action": action, "payload": id, "request_id": id, "reply_to": "caller:x"});
        self.send(&request).await;
    }

    async fn reply(&mut self) -> Value {
        next(&mut self.replies).await
    }
}

#[tokio::test]
async fn a_service_without_a_time_limit_answers_and_listens() -> Result<(), BoxError> {
    let (received, mut messages) = mpsc::unbounded_channel::<Value>();
    let blueprint = Blueprint::new("b").action("echo", echo).listen("news", receive);
    let service = app("no-limit").timeout(Duration::MAX).state(received).register(blueprint).start().await?;
    let mut peer = Peer::on("no-limit").await;
    for id in [1, 2] {
        peer.request("echo", id).await;
        assert_eq!(peer.reply().await["payload"], id);
        peer.bus.publish("news", json!(id).to_string().into()).await?;
        assert_eq!(next(&mut messages).await, id);
    }
    let caller = service.callers().to("svc").timeout(Duration::MAX);
    assert_eq!(caller.send_request::<u32>("echo", 3).await?, 3);
    Ok(service.stop().await?)
}

/// Waits until the test ends.
#[action("slow", concurrency = 1)]
async fn slow() {
    std::future::pending::<()>().await;
}

#[action("quick")]
async fn quick() -> u32 {
    7
}

#[tokio::test]
async fn a_slow_action_leaves_places_in_the_backlog_to_the_others() -> Result<(), BoxError> {
    let service =
        app("shares").drain(Duration::ZERO).register(blueprint_of!["shares"; slow, quick]).start().await?;
    let mut peer = Peer::on("shares").await;
    for id in 0..1400 {
        peer.request("slow", id).await;
    }
    let caller = service.callers().to("svc");
    for _ in 0..20 {
        assert_eq!(within(caller.send_request::<u32>("quick", ()).into_future()).await?, 7);
    }
    // 1,280 places: one request runs, and one action may take 8/9 of the backlog.
    let refused = std::iter::from_fn(|| peer.replies.try_recv().ok());
    let refused = refused.inspect(|reply| assert_eq!(reply["payload"]["code"], "overloaded")).count();
    assert!((1400 - 1139..=1400 - 1137).contains(&refused), "{refused} of 1,400 are refused");
    service.stop().await.unwrap_err();
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn every_request_of_a_burst_is_answered_or_refused_and_the_log_has_the_total() -> Result<(), BoxError> {
    const REQUESTS: u32 = 20_000;
    let (log, _guard) = ThreadLog::start();
    let service = app("burst-calls").register(blueprint_of!["burst"; quick]).start().await?;
    let mut peer = Peer::on("burst-calls").await;
    // No other task runs in between, so most requests find the intake full.
    tokio::task::unconstrained(async {
        for id in 0..REQUESTS {
            peer.request("quick", id).await;
        }
    })
    .await;
    let mut refused = 0;
    let mut missing: HashSet<u64> = (0..REQUESTS.into()).collect();
    while !missing.is_empty() {
        let reply = peer.reply().await;
        assert!(missing.remove(&reply["request_id"].as_u64().unwrap()), "a second reply: {reply}");
        if reply["status"] == "error" {
            assert_eq!(
                (&reply["payload"]["code"], &reply["refused"]),
                (&json!("overloaded"), &json!(true)),
                "{reply}"
            );
            refused += 1;
        }
    }
    assert!(refused > REQUESTS / 2, "{refused}");
    eventually("the episode ends", async || !log.lines("no longer refused").is_empty()).await;
    assert_eq!(log.lines("refused with `overloaded`").len(), 1, "{:?}", log.lines(""));
    let totals = log.lines("no longer refused");
    assert!(totals.len() == 1 && totals[0].contains(&format!("overloaded={refused} ")), "{totals:?}");
    Ok(service.stop().await?)
}

#[tokio::test(start_paused = true)]
async fn refusals_beyond_their_queue_are_counted_and_logged_once() -> Result<(), BoxError> {
    let (log, _guard) = ThreadLog::start();
    let app = app("refusal-queue").intake_queue(1, 1 << 20).refusal_queue(10, 1 << 20);
    let service = app.register(blueprint_of!["burst"; quick]).start().await?;
    let mut peer = Peer::on("refusal-queue").await;
    tokio::task::unconstrained(async {
        for id in 0..100 {
            peer.request("quick", id).await;
        }
    })
    .await;
    for _ in 0..11 {
        peer.reply().await;
    }
    eventually("the episode ends", async || !log.lines("no longer refused").is_empty()).await;
    assert_eq!(log.lines("refusal queue is full").len(), 1);
    let totals = log.lines("no longer refused");
    assert!(totals.len() == 1 && totals[0].contains("overloaded=99 dropped=89 "), "{totals:?}");
    Ok(service.stop().await?)
}

#[action("note")]
async fn note(Payload(n): Payload<Value>, State(received): State<mpsc::UnboundedSender<Value>>) {
    received.send(n).unwrap();
}

fn with_timeout(id: u32, millis: u64) -> Value {
    json!({"action": "note", "payload": id, "request_id": id, "reply_to": "caller:x", "timeout_ms": millis})
}

#[tokio::test(start_paused = true)]
async fn a_request_that_has_expired_in_the_queue_is_not_run() -> Result<(), BoxError> {
    let (ran, mut runs) = mpsc::unbounded_channel::<Value>();
    let service = app("expired").state(ran).register(blueprint_of!["b"; note]).start().await?;
    let mut peer = Peer::on("expired").await;
    tokio::task::unconstrained(async {
        for (id, millis) in [(1, 100), (2, 300), (3, 0)] {
            peer.send(&with_timeout(id, millis)).await;
        }
    })
    .await;
    // The clock advances before the intake runs.
    tokio::time::advance(Duration::from_millis(200)).await;
    let mut codes = BTreeMap::new();
    for _ in 0..3 {
        let reply = peer.reply().await;
        codes.insert(reply["request_id"].as_u64(), reply["payload"]["code"].clone());
    }
    let expired = json!("deadline_exceeded");
    assert_eq!(
        codes,
        BTreeMap::from([(Some(1), expired.clone()), (Some(2), Value::Null), (Some(3), expired)])
    );
    assert_eq!((next(&mut runs).await, runs.is_empty()), (json!(2), true), "only one has run");
    Ok(service.stop().await?)
}

#[tokio::test]
async fn a_cancel_that_finds_the_queue_full_applies_to_the_requests_in_it() -> Result<(), BoxError> {
    let (ran, mut runs) = mpsc::unbounded_channel::<Value>();
    let app = app("cancel-full").intake_queue(2, 1 << 20).state(ran);
    let service = app.register(blueprint_of!["b"; note]).start().await?;
    let mut peer = Peer::on("cancel-full").await;
    let cancel = json!({"action": "$cancel", "payload": {"request_id": 1, "reply_to": "caller:x"}});
    tokio::task::unconstrained(async {
        peer.request("note", 1).await;
        peer.request("note", 2).await;
        peer.send(&cancel).await;
    })
    .await;
    let mut codes = BTreeMap::new();
    for _ in [1, 2] {
        let reply = peer.reply().await;
        codes.insert(reply["request_id"].as_u64(), reply["payload"]["code"].clone());
    }
    assert_eq!(codes, BTreeMap::from([(Some(1), json!("cancelled")), (Some(2), Value::Null)]));
    assert_eq!((next(&mut runs).await, runs.is_empty()), (json!(2), true), "only one has run");
    Ok(service.stop().await?)
}

#[tokio::test]
async fn a_request_whose_cancel_waits_behind_it_is_not_run() -> Result<(), BoxError> {
    let (ran, mut runs) = mpsc::unbounded_channel::<Value>();
    let service = app("cancel-behind").state(ran).register(blueprint_of!["b"; note, quick]).start().await?;
    let mut peer = Peer::on("cancel-behind").await;
    let cancel =
        |id: u32, inbox: &str| json!({"action": "$cancel", "payload": {"request_id": id, "reply_to": inbox}});
    tokio::task::unconstrained(async {
        peer.request("note", 1).await;
        peer.request("note", 2).await;
        // Enough requests that handlers run before the intake reaches the $cancel.
        for _ in 0..200 {
            peer.send(&json!({"action": "quick"})).await;
        }
        peer.send(&cancel(1, "caller:x")).await;
        peer.send(&cancel(2, "caller:another")).await;
        peer.request("note", 3).await;
        // The id of a request that was cancelled before this one.
        peer.request("note", 1).await;
    })
    .await;
    assert_eq!(
        [next(&mut runs).await, next(&mut runs).await, next(&mut runs).await],
        [2, 3, 1].map(Value::from)
    );
    let mut replies = Vec::new();
    for _ in 0..4 {
        let reply = peer.reply().await;
        replies.push((reply["request_id"].as_u64().unwrap(), reply["payload"]["code"] == "cancelled"));
    }
    replies.sort_unstable();
    assert_eq!(replies, [(1, false), (1, true), (2, false), (3, false)]);
    service.stop().await?;
    assert!(within(runs.recv()).await.is_none(), "nothing else has run");
    Ok(())
}

/// Panics when the span of the next handler is created, like a broken subscriber of the application.
struct BrokenSubscriber(Arc<AtomicBool>);

impl<S: Subscriber> Layer<S> for BrokenSubscriber {
    fn on_new_span(&self, span: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        let panics = span.metadata().name() == "handler" && self.0.swap(false, Ordering::SeqCst);
        assert!(!panics, "the subscriber is broken");
    }
}

#[tokio::test]
async fn a_panic_during_admission_is_answered_and_the_loop_continues() -> Result<(), BoxError> {
    let panics = Arc::new(AtomicBool::new(false));
    let _subscriber =
        tracing::subscriber::set_default(Registry::default().with(BrokenSubscriber(Arc::clone(&panics))));
    let service = app("admit-panics").register(Blueprint::new("b").action("echo", echo)).start().await?;
    let mut peer = Peer::on("admit-panics").await;
    panics.store(true, Ordering::SeqCst);
    peer.request("echo", 1).await;
    let reply = peer.reply().await;
    assert_eq!((&reply["payload"]["code"], &reply["request_id"]), (&json!("internal"), &json!(1)), "{reply}");
    peer.request("echo", 2).await;
    assert_eq!(peer.reply().await["payload"], 2);
    within(service.stop()).await?;
    Ok(())
}

#[tokio::test]
async fn a_service_without_a_backlog_runs_as_many_requests_as_its_concurrency() -> Result<(), BoxError> {
    let service = app("no-backlog")
        .concurrency(100)
        .backlog(0)
        .register(Blueprint::new("b").action("echo", echo))
        .start()
        .await?;
    let mut peer = Peer::on("no-backlog").await;
    // The intake admits all of them before the first handler runs.
    tokio::task::unconstrained(async {
        for id in 0..100 {
            peer.request("echo", id).await;
        }
    })
    .await;
    for _ in 0..100 {
        let reply = peer.reply().await;
        assert_eq!(reply["status"], "success", "{reply}");
    }
    service.stop().await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_request_no_longer_repeats_its_reply() -> Result<(), BoxError> {
    let service = app("withdraw").register(Blueprint::new("b").action("echo", echo)).start().await?;
    let mut peer = Peer::on("withdraw").await;
    let request = json!({"action": "echo", "payload": 1, "request_id": 1, "reply_to": "caller:gone"});
    peer.send(&request).await;
    // The handler has ended when a later request is answered.
    peer.request("echo", 2).await;
    peer.reply().await;
    peer.send(&json!({"action": "$cancel", "payload": {"request_id": 1, "reply_to": "caller:gone"}})).await;
    // A stop waits for replies that are repeated, here for 30 s if the reply weren't withdrawn.
    let begun = tokio::time::Instant::now();
    within(service.stop()).await?;
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_stopping_service_does_not_repeat_the_refusal_of_a_cancelled_request() -> Result<(), BoxError> {
    let service = app("withdraw-at-once").register(Blueprint::new("b").action("echo", echo)).start().await?;
    let peer = Peer::on("withdraw-at-once").await;
    let request = json!({"action": "echo", "payload": 1, "request_id": 1, "reply_to": "caller:gone"});
    peer.send(&request).await;
    peer.send(&json!({"action": "$cancel", "payload": {"request_id": 1, "reply_to": "caller:gone"}})).await;
    // A stop waits for replies that are repeated, here for 30 s if the reply weren't withdrawn.
    let begun = tokio::time::Instant::now();
    within(service.stop()).await?;
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_was_sent_makes_room_for_another() -> Result<(), BoxError> {
    // Room for some five refusals at a time: 160 bytes and the texts each.
    let app = app("refusal-room").intake_queue(1, 1 << 20).refusal_queue(1000, 1000);
    let service = app.register(blueprint_of!["burst"; quick]).start().await?;
    let mut peer = Peer::on("refusal-room").await;
    for round in 0..20 {
        tokio::task::unconstrained(async {
            for n in 0..4 {
                peer.request("quick", 4 * round + n).await;
            }
        })
        .await;
        let mut refused = 0;
        for _ in 0..4 {
            refused += u32::from(peer.reply().await["refused"] == true);
        }
        assert!(refused > 0, "round {round}");
    }
    Ok(service.stop().await?)
}
