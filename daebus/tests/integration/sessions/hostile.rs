//! Peers that break the rules of the protocol.

#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

use daebus_caller::bus::{Bus, MemoryBus, Queue, QueueLimits, QueueReceiver, Subscription, Topic};
use daebus_tests_support::{eventually, within};

use super::*;

/// A peer that writes its messages by hand.
struct Peer {
    bus: Arc<dyn Bus>,
    channel: String,
    replies: QueueReceiver,
    _inbox: Subscription,
}

impl Peer {
    async fn new(bus: Arc<dyn Bus>, service: &daebus::Service) -> Self {
        let (queue, replies) = Queue::drop_oldest(QueueLimits::default());
        let inbox = bus.subscribe(Topic::Channel("caller:peer".into()), queue).await.unwrap();
        let info = service.callers().to("numbers").send_request::<Value>("$ping", ()).await.unwrap();
        let id = info["id"].as_str().or(info["instance"].as_str()).unwrap_or_else(|| panic!("{info}"));
        Self { channel: format!("daebus:to:{id}"), bus, replies, _inbox: inbox }
    }

    async fn send(&self, mut message: Value) {
        let fields = message.as_object_mut().unwrap();
        fields.insert("reply_to".into(), json!("caller:peer"));
        fields.insert("request_id".into(), json!("1"));
        self.bus.publish(&self.channel, message.to_string().into()).await.unwrap();
    }

    /// The next reply that isn't a credit.
    async fn reply(&mut self) -> Value {
        loop {
            let reply: Value =
                serde_json::from_slice(&within(self.replies.recv()).await.unwrap().payload).unwrap();
            if reply["status"] != "credit" {
                return reply;
            }
        }
    }

    async fn open(&mut self, action: &str, payload: Value, items: u64) {
        self.send(json!({
            "action": action, "payload": payload, "session": {"credit": {"items": items, "bytes": 1000}}
        }))
        .await;
        let reply: Value =
            serde_json::from_slice(&within(self.replies.recv()).await.unwrap().payload).unwrap();
        assert_eq!(reply["status"], "credit", "{reply}");
        assert_eq!(
            (&reply["payload"], &reply["final"]),
            (&json!({"items": 64, "bytes": 1_048_576}), &json!(false))
        );
    }
}

async fn start() -> (daebus::Service, Peer, Seen) {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let name = format!("hostile-{}", NUMBER.fetch_add(1, Ordering::SeqCst));
    let seen = Seen::default();
    let url = format!("memory://{name}");
    let service = Daebus::new("numbers").bus(&url).state(seen.clone()).register(numbers::blueprint());
    let service = service.start().await.unwrap();
    let peer = Peer::new(MemoryBus::named(&name), &service).await;
    (service, peer, seen)
}

async fn fails_with(peer: &mut Peer, code: &str) {
    let reply = peer.reply().await;
    assert_eq!((&reply["final"], &reply["payload"]["code"]), (&json!(true), &json!(code)), "{reply}");
}

#[tokio::test]
async fn a_gap_a_repeated_item_and_a_wrong_end_are_errors() {
    let (service, mut peer, _) = start().await;
    for messages in [
        vec![json!({"action": "$item", "payload": 1, "seq": 2})],
        vec![
            json!({"action": "$item", "payload": 1, "seq": 1}),
            json!({"action": "$item", "payload": 1, "seq": 1}),
        ],
        vec![json!({"action": "$item", "payload": 1, "seq": 1}), json!({"action": "$end", "seq": 2})],
        vec![json!({"action": "$end", "seq": 0}), json!({"action": "$item", "payload": 1, "seq": 1})],
    ] {
        peer.open("double", json!({}), 0).await;
        for message in messages {
            peer.send(message).await;
        }
        fails_with(&mut peer, "session_gap").await;
    }
    service.stop().await.unwrap();
}

#[tokio::test]
async fn more_items_than_credit_are_an_error() {
    let (service, mut peer, _) = start().await;
    peer.open("slow", json!(600_000), 64).await;
    for seq in 1..=65 {
        peer.send(json!({"action": "$item", "payload": "x", "seq": seq})).await;
    }
    fails_with(&mut peer, "session_credit").await;
    peer.open("slow", json!(600_000), 64).await;
    for seq in 1..=3 {
        peer.send(json!({"action": "$item", "payload": "x".repeat(400_000), "seq": seq})).await;
    }
    fails_with(&mut peer, "session_credit").await;
    service.stop().await.unwrap();
}

#[tokio::test]
async fn malformed_messages_are_errors() {
    let (service, mut peer, _) = start().await;
    for message in [
        json!({"action": "$item", "payload": 1}),
        json!({"action": "$credit", "payload": {"items": "many"}}),
        json!({"action": "$answer", "payload": 1, "ask": 7}),
        json!({"action": "$end"}),
    ] {
        peer.open("double", json!({}), 0).await;
        peer.send(message).await;
        fails_with(&mut peer, "session_malformed").await;
    }
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_second_answer_of_a_peer_is_an_error_on_both_sides() {
    let (service, mut peer, seen) = start().await;
    peer.open("greet", json!("\"hi\""), 64).await;
    assert_eq!(peer.reply().await["payload"], "started");
    let ask = peer.reply().await;
    assert_eq!((&ask["status"], &ask["ask"], &ask["final"]), (&json!("ask"), &json!(1), &json!(false)));
    peer.send(json!({"action": "$answer", "payload": "Ada", "ask": 1})).await;
    peer.send(json!({"action": "$answer", "payload": "Bob", "ask": 1})).await;
    loop {
        let reply = peer.reply().await;
        if reply["final"] == true {
            assert_eq!(reply["payload"]["code"], "session_answered_twice", "{reply}");
            break;
        }
    }
    eventually("the workflow ends", async || seen.dropped() == 1).await;
    service.stop().await.unwrap();
}

#[tokio::test]
async fn messages_of_an_unknown_session_get_one_final_error() {
    let (service, mut peer, _) = start().await;
    peer.send(json!({"action": "$item", "payload": 1, "seq": 1})).await;
    peer.send(json!({"action": "$item", "payload": 1, "seq": 2})).await;
    fails_with(&mut peer, "session_unknown").await;
    // Nothing follows: the next reply is that of the call.
    peer.send(json!({"action": "add", "payload": 5})).await;
    assert_eq!(peer.reply().await["payload"], 5);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn nothing_is_sent_after_the_final_reply() {
    let (service, mut peer, _) = start().await;
    peer.open("sum", json!({}), 64).await;
    peer.send(json!({"action": "$item", "payload": 4, "seq": 1})).await;
    peer.send(json!({"action": "$end", "seq": 1})).await;
    let reply = peer.reply().await;
    assert_eq!((&reply["payload"], &reply["final"], &reply["seq"]), (&json!(4), &json!(true), &json!(0)));
    peer.send(json!({"action": "$item", "payload": 4, "seq": 2})).await;
    peer.send(json!({"action": "add", "payload": 5})).await;
    assert_eq!(peer.reply().await["payload"], 5);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn the_service_keeps_to_the_credit_of_its_peer() {
    let (service, mut peer, seen) = start().await;
    peer.open("count", json!({"from": 100, "to": 200}), 2).await;
    for n in 0..2 {
        let item = peer.reply().await;
        assert_eq!((&item["seq"], &item["payload"]), (&json!(n + 1), &json!(100 + n)));
    }
    assert!(peer.replies.try_recv().is_none());
    peer.send(json!({"action": "$credit", "payload": {"items": 3, "bytes": 1000}})).await;
    assert_eq!(peer.reply().await["seq"], 3);
    peer.send(json!({
        "action": "$cancel", "payload": {"request_id": "1", "reply_to": "caller:peer"}
    }))
    .await;
    fails_with(&mut peer, "cancelled").await;
    eventually("the handler's stream is dropped", async || seen.dropped() == 1).await;
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_session_is_refused_on_the_channel_of_the_service() {
    let (service, mut peer, _) = start().await;
    peer.channel = "numbers".into();
    peer.send(json!({
        "action": "count", "payload": {"from": 1, "to": 2}, "session": {"credit": {"items": 1, "bytes": 1}}
    }))
    .await;
    let reply = peer.reply().await;
    assert_eq!((&reply["payload"]["code"], &reply["refused"]), (&json!("session_required"), &json!(true)));
    service.stop().await.unwrap();
}
