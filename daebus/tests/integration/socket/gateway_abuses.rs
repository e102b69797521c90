//! Clients that want more from the gateway than they may have.

use std::sync::Arc;
use std::time::Duration;

use daebus::prelude::*;
use daebus::{Gateway, Service};
use daebus_tests_support::{eventually, within};
use futures_util::SinkExt as _;
use tokio::sync::Semaphore;
use tokio_tungstenite::tungstenite::Message;

use super::peer::{Peer, app, clients};

async fn look(request: Request) -> Json<Value> {
    Json(json!({
        "raw": serde_json::from_str::<Value>(request.raw().as_str()).unwrap(),
        "headers": request.headers(),
    }))
}

async fn wait(State(turns): State<Arc<Semaphore>>) {
    turns.acquire().await.unwrap().forget();
}

async fn large() -> Json<String> {
    Json("x".repeat(100_000))
}

fn gateway() -> Gateway {
    Gateway::new()
        .call("svc", ["look", "wait", "large"])
        .subscribe(["news", "sensor.*"])
        .publish(["chat"])
        .max_calls(3)
        .max_subscriptions(5)
}

async fn start(name: &str, web_socket: WebSocket) -> (Service, Arc<Semaphore>) {
    let turns = Arc::new(Semaphore::new(0));
    let blueprint = Blueprint::new("b").action("look", look).action("wait", wait).action("large", large);
    let app = app(name, web_socket.gateway(gateway()), blueprint);
    (app.state(Arc::clone(&turns)).start().await.unwrap(), turns)
}

async fn bus(name: &str) -> Caller {
    Caller::connect(&format!("memory://socket-{name}"), "svc").await.unwrap()
}

fn call(request_id: impl Into<Value>, action: &str) -> Value {
    let request_id: Value = request_id.into();
    json!({"type": "publish", "channel": "svc", "data": {"action": action, "request_id": request_id}})
}

/// Sends a frame that is refused.
async fn refused(peer: &mut Peer, message: Value) -> Value {
    let answer = peer.ask(message.clone()).await;
    assert_eq!(answer["success"], false, "{message}: {answer}");
    assert!(answer.get("data").is_none(), "clients take it for a message: {answer}");
    answer
}

#[tokio::test]
async fn a_page_of_another_origin_does_not_reach_the_gateway() {
    let (service, _) = start("gateway-origin", WebSocket::new()).await;
    let (status, body) =
        Peer::try_connect(&service, "/ws", &[("Origin", "http://evil.example")]).await.err().unwrap();
    assert_eq!((status, &body["code"]), (403, &json!("origin_not_allowed")));
    service.stop().await.unwrap();
}

#[tokio::test]
async fn nothing_is_reachable_that_is_not_listed() {
    let (service, _) = start("gateway-unlisted", WebSocket::new()).await;
    let mut peer = Peer::connect(&service).await;
    for (channel, action) in [
        ("svc", "stop"),
        ("svc", "$ping"),
        ("svc", "$info"),
        ("svc", "$cancel"),
        ("svc", "look "),
        ("svc", "*"),
        ("other", "look"),
        ("daebus:to:svc@00000000", "look"),
        ("news", "look"),
        ("chat", "look"),
        ("", "look"),
    ] {
        let message =
            json!({"type": "publish", "channel": channel, "data": {"action": action, "request_id": 1}});
        let answer = refused(&mut peer, message).await;
        assert_eq!((&answer["type"], &answer["request_id"]), (&json!("response"), &json!(1)));
        assert_eq!(answer["code"], "not_allowed", "{channel} {action}");
    }
    for channel in [
        "chat",
        "svc",
        "svc.responses",
        "sensor.responses",
        "sensor.workflows",
        "caller:1",
        "daebus:members:svc",
        "News",
        "",
    ] {
        let answer = refused(&mut peer, json!({"type": "subscribe", "channel": channel})).await;
        assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!("not_allowed")), "{channel}");
    }
    for channel in ["news", "svc", "sensor.1", "chat.1", "caller:1"] {
        let answer = refused(&mut peer, json!({"type": "broadcast", "channel": channel, "data": 1})).await;
        assert_eq!(answer["code"], "not_allowed", "{channel}");
    }
    drop(peer);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_pattern_that_covers_more_than_the_list_is_refused() {
    let name = "gateway-wide";
    let (service, _) = start(name, WebSocket::new()).await;
    let bus = bus(name).await;
    let mut peer = Peer::connect(&service).await;
    for pattern in
        ["*", "s*", "sensor*", "sensor?*", "[s]ensor.*", "sensor\\.*", "new?", "*sensor.*", "n*", "daebus:*"]
    {
        let answer = refused(&mut peer, json!({"type": "subscribe", "channel": pattern})).await;
        assert_eq!(answer["code"], "not_allowed", "{pattern}");
    }
    for pattern in ["cha?", "c*", "*"] {
        refused(&mut peer, json!({"type": "broadcast", "channel": pattern, "data": 1})).await;
    }
    // A name that the list's pattern matches is that channel, and no pattern.
    let subscribed = peer.ask(json!({"type": "subscribe", "channel": "sensor.[ab]", "request_id": 1})).await;
    assert_eq!(subscribed["success"], true);
    assert_eq!(bus.send_message("sensor.a", 1).await.unwrap(), 0);
    assert_eq!(bus.send_message("sensor.[ab]", 2).await.unwrap(), 1);
    assert_eq!(peer.receive().await["data"], 2);
    drop(peer);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn forged_fields_do_not_reach_the_service() {
    let name = "gateway-forged";
    let (service, _) = start(name, WebSocket::new()).await;
    let mut news = bus(name).await.listen::<Value>("news").await.unwrap();
    let mut peer = Peer::connect(&service).await;
    let forged = json!({
        "type": "publish", "channel": "svc", "reply_to": "news", "service": "other", "headers": {"role": "admin"},
        "data": {
            "action": "look", "payload": {"action": "stop", "reply_to": "news"}, "request_id": "mine", "reply_to": "news",
            "service": "other", "headers": {"role": "admin"}, "accepts": ["batch"], "session": {"credit": {"items": 9, "bytes": 9}},
        },
    });
    let answer = peer.ask(forged).await;
    let raw = &answer["data"]["raw"];
    assert_eq!((&raw["action"], &raw["service"]), (&json!("look"), &json!("svc")), "{answer}");
    assert_eq!(raw["payload"], json!({"action": "stop", "reply_to": "news"}));
    assert!(raw["reply_to"].as_str().unwrap().starts_with("caller:"), "{answer}");
    assert_ne!(raw["request_id"], "mine");
    assert!(raw.get("session").is_none() && raw["headers"].get("role").is_none(), "{answer}");
    assert_eq!(answer["data"]["headers"].get("role"), None);
    // Keys count as they are decoded, and the last of duplicates.
    for broadcast in [
        r#"{"type": "broadcast", "channel": "chat", "data": {"action": "look"}}"#,
        r#"{"type": "broadcast", "channel": "chat", "data": {"\u0061ction": null, "x": 1}}"#,
        r#"{"type": "broadcast", "channel": "chat", "data": {"\ud800": 0, "action": "look"}}"#,
        r#"{"type": "broadcast", "channel": "chat", "channel": "news", "data": 1}"#,
        r#"{"type": "broadcast", "data": 1}"#,
        r#"{"type": "publish", "channel": "svc", "data": {"action": "look", "action": "stop"}}"#,
        r#"{"type": "publish", "channel": "svc", "data": [{"action": "look"}]}"#,
        r#"{"type": "publish", "channel": "svc", "data": {"action": 5}}"#,
        r#"{"type": "publish", "channel": ["svc"], "data": {"action": "look"}}"#,
        r#"{"type": "publish", "channel": "svc"}"#,
    ] {
        peer.send_text(broadcast).await;
        let answer = peer.receive().await;
        assert_eq!(
            (&answer["type"], &answer["success"]),
            (&json!("error"), &json!(false)),
            "{broadcast}: {answer}"
        );
    }
    // Nothing was published there meanwhile.
    bus(name).await.send_message("news", "first").await.unwrap();
    assert_eq!(within(news.next()).await.unwrap(), "first");
    drop(peer);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn calls_and_subscriptions_of_one_client_are_bounded() {
    let (service, turns) = start("gateway-floods", WebSocket::new().inbox_bytes(1000)).await;
    let mut peer = Peer::connect(&service).await;
    for n in 0..3 {
        peer.send(call(n, "wait")).await;
    }
    assert_eq!(refused(&mut peer, call(3, "wait")).await["code"], "too_many_calls");
    turns.add_permits(3);
    let mut answered = Vec::new();
    for _ in 0..3 {
        answered.push(peer.receive().await["request_id"].as_u64().unwrap());
    }
    answered.sort_unstable();
    assert_eq!(answered, [0, 1, 2]);
    // Their payloads too.
    let mut heavy = call(1, "wait");
    heavy["data"]["payload"] = json!("x".repeat(900));
    peer.send(heavy.clone()).await;
    heavy["data"]["request_id"] = json!(2);
    assert_eq!(refused(&mut peer, heavy).await["code"], "too_many_calls");
    turns.add_permits(1);
    assert_eq!(peer.receive().await["success"], true);

    for n in 0..5 {
        let message = json!({"type": "subscribe", "channel": format!("sensor.{n}"), "request_id": n});
        assert_eq!(peer.ask(message).await["success"], true);
    }
    let full = refused(&mut peer, json!({"type": "subscribe", "channel": "sensor.5", "request_id": 5})).await;
    assert_eq!(full["code"], "too_many_subscriptions");
    assert_eq!(
        peer.ask(json!({"type": "unsubscribe", "channel": "sensor.0", "request_id": 1})).await["success"],
        true
    );
    assert_eq!(
        peer.ask(json!({"type": "subscribe", "channel": "sensor.5", "request_id": 5})).await["success"],
        true
    );
    drop(peer);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_client_that_subscribes_and_leaves_without_end_holds_nothing() {
    let name = "gateway-churn";
    let (service, _) = start(name, WebSocket::new()).await;
    let bus = bus(name).await;
    let mut peer = Peer::connect(&service).await;
    for n in 0..300 {
        let channel = format!("sensor.{n}");
        peer.send(json!({"type": "subscribe", "channel": channel})).await;
        peer.send(json!({"type": "unsubscribe", "channel": channel})).await;
    }
    assert_eq!(
        peer.ask(json!({"type": "unsubscribe", "channel": "news", "request_id": 1})).await["success"],
        true
    );
    for n in 0..300 {
        assert_eq!(bus.send_message(&format!("sensor.{n}"), 1).await.unwrap(), 0);
    }
    drop(peer);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn giant_frames_and_ids_are_refused() {
    let (service, _) = start("gateway-giant", WebSocket::new().max_message(10_000).queue_bytes(20_000)).await;
    let mut peer = Peer::connect(&service).await;
    let id = "x".repeat(300);
    let answer = refused(&mut peer, call(id.as_str(), "look")).await;
    assert_eq!((&answer["code"], answer.get("request_id")), (&json!("invalid_payload"), None));
    let answer = refused(&mut peer, json!({"type": "subscribe", "channel": "news", "request_id": id})).await;
    assert_eq!((&answer["code"], answer.get("request_id")), (&json!("invalid_payload"), None));
    let channel = "x".repeat(5000);
    let answer = refused(&mut peer, json!({"type": "subscribe", "channel": channel})).await;
    assert!(answer.get("channel").is_none() && answer.to_string().len() < 6000, "{answer}");
    // An answer that is larger than the client's queue.
    let answer = refused(&mut peer, call("large", "large")).await;
    assert_eq!((&answer["code"], &answer["request_id"]), (&json!("internal"), &json!("large")));
    // A message of the bus that is larger is not sent, and the next one is.
    assert_eq!(
        peer.ask(json!({"type": "subscribe", "channel": "news", "request_id": 1})).await["success"],
        true
    );
    let bus = bus("gateway-giant").await;
    bus.send_message("news", "x".repeat(30_000)).await.unwrap();
    bus.send_message("news", 2).await.unwrap();
    assert_eq!(peer.receive().await["data"], 2);
    let giant = json!({"type": "broadcast", "channel": "chat", "data": "x".repeat(20_000)});
    peer.send(giant).await;
    assert_eq!(peer.closed().await.0, 1009);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn calls_above_the_rate_are_refused_with_their_id() {
    let limits = WebSocket::new().rate_limit(1, Duration::from_secs(3600));
    let (service, _) = start("gateway-rate", limits).await;
    let mut peer = Peer::connect(&service).await;
    assert_eq!(peer.ask(call("a", "look")).await["success"], true);
    let expected = json!({"type": "response", "request_id": "b", "success": false, "error": "Rate limit exceeded",
                          "code": "rate_limited", "retry_after": 3600});
    assert_eq!(peer.ask(call("b", "look")).await, expected);
    let answer = peer.ask(json!({"type": "subscribe", "channel": "news"})).await;
    assert_eq!(answer, json!({"type": "error", "error": "Rate limit exceeded", "retry_after": 3600}));
    let answer = peer.ask(json!({"type": "subscribe", "channel": "news", "request_id": "c"})).await;
    assert_eq!((&answer["request_id"], &answer["code"]), (&json!("c"), &json!("rate_limited")), "{answer}");
    drop(peer);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_slow_reader_delays_no_other_client() {
    let name = "gateway-slow";
    let (service, _) = start(name, WebSocket::new().queue(4)).await;
    let bus = bus(name).await;
    let mut slow = Peer::connect(&service).await;
    let mut quick = Peer::connect(&service).await;
    for peer in [&mut slow, &mut quick] {
        peer.ask(json!({"type": "subscribe", "channel": "news", "request_id": 1})).await;
    }
    let sockets = clients(&service, 2).await;
    let text = "x".repeat(64 * 1024);
    let flood = async {
        for n in 0.. {
            bus.send_message("news", json!({"n": n, "text": text})).await.unwrap();
            assert_eq!(quick.receive().await["data"]["n"], n);
            if sockets.dropped() > 0 {
                return n;
            }
        }
        0
    };
    let last = within(flood).await;
    // The newest message is among those that the slow client receives.
    within(async { while slow.receive().await["data"]["n"] != last {} }).await;
    drop((slow, quick));
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_client_that_reads_no_answers_is_not_served_without_end() {
    let web_socket = WebSocket::new().queue(8).queue_bytes(300_000);
    let (service, _) = start("gateway-unread", web_socket).await;
    let mut peer = Peer::connect(&service).await;
    // As many calls as the service reads: it stops reading while answers fill half of the queue.
    let send = async {
        for n in 0.. {
            if peer.0.send(Message::text(call(n, "large").to_string())).await.is_err() {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(1), send).await;
    let mut other = Peer::connect(&service).await;
    assert_eq!(other.ask(call("a", "look")).await["success"], true);
    drop(peer);
    let sockets = service.sockets().unwrap();
    eventually("the client is gone", async || sockets.count() == 1).await;
    drop(other);
    service.stop().await.unwrap();
}
