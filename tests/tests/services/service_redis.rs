//! A service on a real Redis: bad input, and a Redis that goes away under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use daebus::Service;
use daebus::prelude::*;
use daebus_caller::bus::{self, Bus, BusUrl, Queue, QueueLimits, QueueReceiver, Subscription, Topic};
use daebus_tests::{PATIENCE, RedisServer, eventually};

#[derive(Debug, Serialize, Deserialize)]
struct Sum {
    a: i64,
    b: i64,
}

#[blueprint("sums")]
mod sums {
    use super::*;

    #[action("add")]
    pub(super) async fn add(Payload(Sum { a, b }): Payload<Sum>) -> i64 {
        a + b
    }

    #[action("any")]
    pub(super) async fn any(Payload(value): Payload<Value>) -> Value {
        value
    }

    #[listen("heard")]
    pub(super) async fn heard(Payload(Sum { a, b }): Payload<Sum>, State(sum): State<Arc<AtomicU64>>) {
        sum.fetch_add(u64::try_from(a + b).unwrap_or_default(), Ordering::SeqCst);
    }
}

async fn serve(redis: &RedisServer, sum: &Arc<AtomicU64>) -> Service {
    let app = Daebus::new("sums").bus(redis.url()).state(Arc::clone(sum));
    app.register(sums::blueprint()).start().await.unwrap()
}

/// Somebody who writes whatever bytes it likes, and reads what comes back.
struct Peer {
    bus: Arc<dyn Bus>,
    replies: QueueReceiver,
    _inbox: Subscription,
}

impl Peer {
    async fn on(redis: &RedisServer) -> Self {
        let bus = bus::connect(&BusUrl::parse(&redis.url()).unwrap()).await.unwrap();
        let (queue, replies) = Queue::drop_oldest(QueueLimits::default());
        let inbox = bus.subscribe(Topic::Channel("caller:peer".into()), queue).await.unwrap();
        Self { bus, replies, _inbox: inbox }
    }

    async fn publish(&self, channel: &str, message: impl Into<Bytes>) {
        self.bus.publish(channel, message.into()).await.unwrap();
    }

    async fn reply(&mut self) -> Value {
        let reply = tokio::time::timeout(PATIENCE, self.replies.recv()).await.expect("a reply comes");
        serde_json::from_slice(&reply.unwrap().payload).unwrap()
    }

    /// Publishes a request with this in it, and expects an error reply with this code and these words.
    async fn refused(&mut self, request: impl Into<Bytes>, code: &str, words: &str) {
        let request = request.into();
        let begins = String::from_utf8_lossy(&request[..request.len().min(80)]).into_owned();
        self.publish("sums", request).await;
        let reply = self.reply().await;
        assert_eq!(reply["status"], "error", "{begins}: {reply}");
        assert_eq!(reply["payload"]["code"], code, "{begins}: {reply}");
        assert!(reply["payload"]["error"].as_str().unwrap().contains(words), "{begins}: {reply}");
        assert_eq!(reply["request_id"], "r1", "{begins}: {reply}");
    }

    /// Whether the service answers: nothing that came before has done it harm, and nothing is answered late.
    async fn still_answers(&mut self) {
        let request = json!({"action": "add", "payload": {"a": 40, "b": 2}, "reply_to": "caller:peer", "request_id": "ok"});
        self.publish("sums", request.to_string()).await;
        let reply = self.reply().await;
        assert_eq!((&reply["request_id"], &reply["payload"]), (&json!("ok"), &json!(42)), "{reply}");
    }
}

/// A request with a reply channel and an id, whose payload is these bytes.
fn request(action: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!(r#"{{"action":"{action}","reply_to":"caller:peer","request_id":"r1","payload":"#);
    [head.as_bytes(), payload, b"}"].concat()
}

fn brackets(depth: usize) -> Vec<u8> {
    [vec![b'['; depth], vec![b']'; depth]].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_are_answered_where_there_is_somebody_to_answer() {
    let redis = RedisServer::start();
    let service = serve(&redis, &Arc::default()).await;
    let mut peer = Peer::on(&redis).await;

    peer.refused(request("launch", b"{}"), "unknown_action", "launch").await;
    peer.refused(request("add", br#"{"a": 1, "b": "two"}"#), "invalid_payload", "`b`").await;
    peer.refused(request("add", b"[]"), "invalid_payload", "").await;
    peer.refused(request("add", b"null"), "invalid_payload", "missing field `a`").await;
    peer.refused(request("add", br#""no JSON in here""#), "invalid_payload", "").await;
    peer.refused(request("any", &brackets(500_000)), "invalid_payload", "").await;
    peer.refused(request("any", b"\"\xff\xfe\""), "invalid_payload", "").await;
    peer.still_answers().await;
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn rubbish_is_dropped_and_the_loop_goes_on() {
    let redis = RedisServer::start();
    let sum = Arc::default();
    let service = serve(&redis, &sum).await;
    let mut peer = Peer::on(&redis).await;

    let rubbish: Vec<Vec<u8>> = [
        &b""[..],
        b" ",
        b"no JSON",
        b"{\"action\":\"add\"",
        b"[1, 2, 3]",
        b"17",
        b"null",
        b"\"add\"",
        b"{}",
        b"{\"action\": 5, \"reply_to\": \"caller:peer\"}",
        b"{\"action\": null}",
        b"{\"action\": \"$nothing\"}",
        b"{\"action\": \"$cancel\", \"payload\": 5}",
        b"{\"action\": \"launch\"}",
        b"{\"action\": \"add\", \"payload\": {\"a\": 1, \"b\": 2}, \"reply_to\": 5}",
        b"\xff\xfe\x00",
        b"{\"action\": \"\xff\"}",
        b"\xef\xbb\xbf{}",
    ]
    .into_iter()
    .map(<[u8]>::to_vec)
    .chain([
        vec![b'['; 1_000_000],
        brackets(500_000),
        vec![0; 1_000_000],
        [b"{\"a\":".repeat(200_000), b"1".to_vec()].concat(),
    ])
    .collect();
    for message in &rubbish {
        peer.publish("sums", message.clone()).await;
        peer.publish("heard", message.clone()).await;
    }
    peer.still_answers().await;
    peer.publish("heard", r#"{"a": 3, "b": 4}"#).await;
    eventually("the listener goes on", async || sum.load(Ordering::SeqCst) == 7).await;
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_envelopes_are_read_as_far_as_they_go() {
    let redis = RedisServer::start();
    let service = serve(&redis, &Arc::default()).await;
    let mut peer = Peer::on(&redis).await;
    // Whatever JSON the id is, it is echoed; headers and a budget that make no sense are left out; later duplicates win.
    for (id, rest) in [
        ("17", r#""headers": 5"#),
        (r#"{"a":[1]}"#, r#""headers": {"a": 1, "b": "c"}"#),
        ("null", r#""timeout_ms": "soon""#),
        (r#""x""#, r#""accepts": 7, "unknown": {"fields": []}"#),
        (r#""x""#, r#""payload": {"a": 1, "b": 1}"#),
    ] {
        let message = format!(
            r#"{{"action": "any", "reply_to": "caller:peer", "payload": {{"a": 1, "b": 1}}, "request_id": {id}, {rest}}}"#
        );
        peer.publish("sums", message.clone()).await;
        let reply = peer.reply().await;
        assert_eq!(reply["payload"], json!({"a": 1, "b": 1}), "{message}: {reply}");
        assert_eq!(reply["request_id"].to_string(), id, "{message}: {reply}");
    }
    // A negative budget is spent, as 0 is.
    for budget in [0, -1] {
        peer.publish("sums", format!(r#"{{"action": "any", "reply_to": "caller:peer", "request_id": "spent", "payload": {{}}, "timeout_ms": {budget}}}"#)).await;
        assert_eq!(peer.reply().await["payload"]["code"], "deadline_exceeded", "{budget}");
    }
    // A list of headers' worth of nonsense is still a request.
    peer.still_answers().await;
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_64_mb_is_refused() {
    // By default Redis cuts off whoever is sent 32 MB at once; here it may.
    let redis = RedisServer::start_with(&["--client-output-buffer-limit", "pubsub 0 0 0"]);
    let service = serve(&redis, &Arc::default()).await;
    let mut peer = Peer::on(&redis).await;
    let payload = [b"\"".to_vec(), vec![b'x'; 64 * 1024 * 1024], b"\"".to_vec()].concat();
    peer.refused(request("any", &payload), "invalid_payload", "16777216").await;
    peer.publish("heard", payload).await;
    peer.still_answers().await;
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_64_mb_that_redis_cuts_us_off_for_is_survived() {
    let redis = RedisServer::start();
    let sum = Arc::default();
    let service = serve(&redis, &sum).await;
    let peer = Peer::on(&redis).await;
    // As many receivers as there are, and yet none of them gets it.
    peer.publish("sums", vec![b'['; 64 * 1024 * 1024]).await;
    let caller = Caller::connect(&redis.url(), "sums").await.unwrap();
    eventually("it answers again", async || {
        let call = caller.send_request::<i64>("add", Sum { a: 1, b: 2 });
        call.timeout(Duration::from_secs(1)).await.is_ok_and(|sum| sum == 3)
    })
    .await;
    eventually("it hears again", async || {
        caller.send_message("heard", Sum { a: 0, b: 1 }).await.unwrap();
        sum.load(Ordering::SeqCst) > 0
    })
    .await;
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_dies_under_load_costs_errors_and_nothing_else() {
    const CALLERS: i64 = 16;
    let mut redis = RedisServer::start();
    let service = serve(&redis, &Arc::default()).await;
    let caller = Caller::connect(&redis.url(), "sums").await.unwrap().timeout(Duration::from_secs(2));
    let (answers, errors) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
    let over = Arc::<AtomicBool>::default();

    let load: Vec<_> = (0..CALLERS)
        .map(|a| {
            let (caller, answers, errors, over) =
                (caller.clone(), answers.clone(), errors.clone(), over.clone());
            tokio::spawn(async move {
                let mut b = 0;
                while !over.load(Ordering::SeqCst) {
                    b += 1;
                    match caller.send_request::<i64>("add", Sum { a, b }).await {
                        Ok(sum) => {
                            assert_eq!(sum, a + b, "somebody else's answer");
                            answers.fetch_add(1, Ordering::SeqCst);
                        }
                        // In flight when it died; published while it was away; published before the service was back.
                        Err(CallError::Timeout { .. } | CallError::Bus(_) | CallError::NoService { .. }) => {
                            errors.fetch_add(1, Ordering::SeqCst);
                        }
                        Err(error) => panic!("{error:?}"),
                    }
                }
            })
        })
        .collect();

    for _ in 0..2 {
        let (answered, failed) = (answers.load(Ordering::SeqCst), errors.load(Ordering::SeqCst));
        eventually("there is load", async || answers.load(Ordering::SeqCst) > answered + 200).await;
        redis.kill();
        eventually("calls fail", async || errors.load(Ordering::SeqCst) >= failed + 8).await;
        redis.run();
        let answered = answers.load(Ordering::SeqCst);
        eventually("it recovers", async || answers.load(Ordering::SeqCst) > answered + 200).await;
    }
    over.store(true, Ordering::SeqCst);
    for caller in load {
        tokio::time::timeout(PATIENCE, caller).await.expect("every call ends").unwrap();
    }

    // After that not one reply is lost.
    let calls: Vec<_> =
        (0..500).map(|b| (b, caller.send_request::<i64>("add", Sum { a: 1, b }).spawn())).collect();
    for (b, call) in calls {
        assert_eq!(call.await.unwrap(), 1 + b);
    }
    assert_eq!(caller.in_flight(), 0);
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_stops_leaves_nobody_waiting() {
    let redis = RedisServer::start();
    for _ in 0..10 {
        let service = serve(&redis, &Arc::default()).await;
        let caller = Caller::connect(&redis.url(), "sums").await.unwrap();
        let load: Vec<_> = (0..16)
            .map(|a| {
                let caller = caller.clone();
                tokio::spawn(async move {
                    for b in 0.. {
                        match caller.send_request::<i64>("add", Sum { a, b }).await {
                            Ok(sum) => assert_eq!(sum, a + b),
                            // `shutting_down` at first, `NoService` at last, and never silence.
                            Err(CallError::NoService { .. }) => return,
                            Err(error) => assert!(error.is_not_run(), "{error:?}"),
                        }
                    }
                })
            })
            .collect();
        service.stop().await.unwrap();
        for calls in load {
            tokio::time::timeout(PATIENCE, calls).await.expect("every call ends").unwrap();
        }
        assert_eq!(caller.in_flight(), 0);
    }
}
