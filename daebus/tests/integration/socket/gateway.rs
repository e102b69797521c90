//! Clients that call, subscribe and publish through the gateway.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use daebus::prelude::*;
use daebus::{Access, Gateway, Service};
use daebus_tests_support::{eventually, within};
use tokio::sync::Notify;

use super::peer::{Peer, SOON, serve};

/// What the handlers of a test share.
#[derive(Clone, Default)]
struct Shared {
    noted: Arc<AtomicU32>,
    started: Arc<Notify>,
    dropped: Arc<Notify>,
}

struct OnDrop(Arc<Notify>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

async fn add(Payload((a, b)): Payload<(i64, i64)>) -> Json<i64> {
    Json(a + b)
}

async fn fail() -> Result<(), BoxError> {
    Err("boom".into())
}

async fn shout(Payload(text): Payload<String>) -> Json<String> {
    Json(text.to_uppercase())
}

async fn count(progress: Progress<u32>) -> Json<&'static str> {
    for n in 1..=3 {
        progress.send(n).await.unwrap();
    }
    Json("done")
}

async fn note(State(shared): State<Shared>) {
    shared.noted.fetch_add(1, Ordering::SeqCst);
}

async fn hang(State(shared): State<Shared>) {
    let _on_drop = OnDrop(Arc::clone(&shared.dropped));
    shared.started.notify_one();
    std::future::pending::<()>().await;
}

async fn identify(Payload(query): Payload<Value>, client: Client) -> Result<(), BoxError> {
    client.set("user", query["user"].as_str().unwrap_or_default())?;
    Ok(())
}

fn gateway() -> Gateway {
    Gateway::new()
        .call("math", ["add", "fail", "shout", "count", "note", "hang", "missing"])
        .subscribe(["news", "sensor.*"])
        .publish(["chat", "rooms.*"])
}

/// A service that is called, and a service with the gateway.
async fn two(name: &str, web_socket: WebSocket) -> (Service, Service, Shared) {
    let shared = Shared::default();
    let actions = Blueprint::new("math")
        .action("add", add)
        .action("fail", fail)
        .action("shout", shout)
        .action("count", count)
        .action("note", note)
        .action("hang", hang);
    let math =
        Daebus::new("math").bus(format!("memory://socket-{name}")).state(shared.clone()).register(actions);
    let math = math.start().await.unwrap();
    let blueprint = Blueprint::new("b").socket_connect(identify);
    (math, serve(name, web_socket, blueprint).await, shared)
}

async fn bus(name: &str) -> Caller {
    Caller::connect(&format!("memory://socket-{name}"), "svc").await.unwrap()
}

fn call(request_id: &str, action: &str, payload: impl Into<Value>) -> Value {
    let payload: Value = payload.into();
    json!({"type": "publish", "channel": "math",
           "data": {"action": action, "payload": payload, "request_id": request_id}})
}

fn answer(request_id: &str, data: impl Into<Value>) -> Value {
    let data: Value = data.into();
    json!({"type": "response", "success": true, "data": data, "request_id": request_id})
}

#[tokio::test]
async fn a_call_is_answered() {
    let (math, service, _) = two("gateway-call", WebSocket::new().gateway(gateway())).await;
    let mut peer = Peer::connect(&service).await;
    assert_eq!(peer.ask(call("a", "add", json!([1, 2]))).await, answer("a", json!(3)));
    assert_eq!(peer.ask(call("b", "shout", json!("hello"))).await, answer("b", json!("HELLO")));
    let failed = peer.ask(call("c", "fail", json!({}))).await;
    assert_eq!((&failed["success"], &failed["request_id"]), (&json!(false), &json!("c")));
    assert_eq!((&failed["type"], &failed["code"]), (&json!("response"), &json!("internal")));
    let invalid = peer.ask(call("d", "add", json!("x"))).await;
    assert_eq!((&invalid["code"], &invalid["success"]), (&json!("invalid_payload"), &json!(false)));
    let unknown = peer.ask(call("e", "missing", json!({}))).await;
    assert_eq!(unknown["code"], "unknown_action", "{unknown}");
    // The ID may be beside `data`, and any JSON.
    let message = json!({"type": "publish", "channel": "math", "request_id": 7, "data": {"action": "add", "payload": [2, 2]}});
    assert_eq!(
        peer.ask(message).await,
        json!({"type": "response", "success": true, "data": 4, "request_id": 7})
    );
    drop(peer);
    math.stop().await.unwrap();
    let mut peer = Peer::connect(&service).await;
    let gone = peer.ask(call("f", "add", json!([1, 2]))).await;
    assert_eq!(
        (&gone["code"], &gone["error"]),
        (&json!("no_service"), &json!("no service \"math\" is on the bus"))
    );
    drop(peer);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_call_has_progress_except_for_clients_that_would_take_it_for_the_answer() {
    let (math, service, _) = two("gateway-progress", WebSocket::new().gateway(gateway())).await;
    let mut peer = Peer::connect(&service).await;
    peer.send(call("a", "count", json!({}))).await;
    for n in 1..=3 {
        assert_eq!(peer.receive().await, json!({"type": "progress", "data": n, "request_id": "a"}));
    }
    assert_eq!(peer.receive().await, answer("a", json!("done")));
    let mut python = call("b", "count", json!({}));
    python["data"]["reply_channel"] = json!("reply_b");
    assert_eq!(peer.ask(python).await, answer("b", json!("done")));
    drop(peer);
    service.stop().await.unwrap();
    math.stop().await.unwrap();
}

#[tokio::test]
async fn a_call_without_an_id_is_one_way_and_in_order() {
    let (math, service, shared) = two("gateway-one-way", WebSocket::new().gateway(gateway())).await;
    let mut peer = Peer::connect(&service).await;
    for request_id in [None, Some(Value::Null)] {
        let mut message = call("x", "note", json!({"action": "fail", "request_id": "1", "reply_to": "news"}));
        message["data"].as_object_mut().unwrap().remove("request_id");
        if let Some(id) = request_id {
            message["data"]["request_id"] = id;
        }
        peer.send(message).await;
    }
    // No frame came in between.
    assert_eq!(peer.ask(call("a", "add", json!([1, 1]))).await, answer("a", json!(2)));
    eventually("both ran", async || shared.noted.load(Ordering::SeqCst) == 2).await;
    drop(peer);
    service.stop().await.unwrap();
    math.stop().await.unwrap();
}

#[tokio::test]
async fn a_call_ends_within_its_budget() {
    let gateway = gateway().call_timeout(Duration::from_millis(300));
    let (math, service, shared) = two("gateway-budget", WebSocket::new().gateway(gateway)).await;
    let mut peer = Peer::connect(&service).await;
    for timeout_ms in [json!(50), json!(86_400_000), Value::Null] {
        let mut message = call("a", "hang", json!({}));
        message["data"]["timeout_ms"] = timeout_ms;
        let late = peer.ask(message).await;
        assert_eq!((&late["code"], &late["success"]), (&json!("deadline_exceeded"), &json!(false)), "{late}");
        within(shared.dropped.notified()).await;
    }
    drop(peer);
    service.stop().await.unwrap();
    math.stop().await.unwrap();
}

#[tokio::test]
async fn a_client_that_leaves_cancels_its_calls() {
    let (math, service, shared) = two("gateway-leave", WebSocket::new().gateway(gateway())).await;
    let mut peer = Peer::connect(&service).await;
    peer.send(call("a", "hang", json!({}))).await;
    within(shared.started.notified()).await;
    // The ID is in use.
    let twice = peer.ask(call("a", "add", json!([1, 2]))).await;
    assert_eq!((&twice["code"], &twice["request_id"]), (&json!("duplicate_request_id"), &json!("a")));
    drop(peer);
    within(shared.dropped.notified()).await;
    service.stop().await.unwrap();
    math.stop().await.unwrap();
}

#[tokio::test]
async fn many_clients_share_one_subscription() {
    let (math, service, _) = two("gateway-hub", WebSocket::new().gateway(gateway())).await;
    let bus = bus("gateway-hub").await;
    let mut peers = Vec::new();
    for _ in 0..20 {
        let mut peer = Peer::connect(&service).await;
        let confirmed = peer.ask(json!({"type": "subscribe", "channel": "news", "request_id": "s"})).await;
        assert_eq!(confirmed, answer("s", json!({})));
        // A second time is one subscription too.
        peer.ask(json!({"type": "subscribe", "channel": "news", "request_id": "s"})).await;
        peers.push(peer);
    }
    // The in-process bus counts subscriptions.
    assert_eq!(bus.send_message("news", json!({"n": 1})).await.unwrap(), 1);
    for peer in &mut peers {
        assert_eq!(
            peer.receive().await,
            json!({"type": "channel_message", "channel": "news", "data": {"n": 1}})
        );
    }
    let mut last = peers.pop().unwrap();
    assert_eq!(
        last.ask(json!({"type": "unsubscribe", "channel": "news", "request_id": 1})).await["success"],
        true
    );
    assert_eq!(bus.send_message("news", json!(2)).await.unwrap(), 1);
    assert_eq!(peers[0].receive().await["data"], 2);
    peers.clear();
    eventually("the service has left the channel", async || bus.send_message("news", 3).await.unwrap() == 0)
        .await;
    assert_eq!(
        last.ask(call("a", "add", json!([1, 1]))).await,
        answer("a", json!(2)),
        "it received no message"
    );
    // The channel can be subscribed again.
    last.ask(json!({"type": "subscribe", "channel": "news", "request_id": "s"})).await;
    assert_eq!(bus.send_message("news", json!(4)).await.unwrap(), 1);
    assert_eq!(last.receive().await["data"], 4);
    drop(last);
    service.stop().await.unwrap();
    math.stop().await.unwrap();
}

#[tokio::test]
async fn a_pattern_of_the_list_is_a_subscription_and_a_channel_that_it_matches_too() {
    let (math, service, _) = two("gateway-pattern", WebSocket::new().gateway(gateway())).await;
    let bus = bus("gateway-pattern").await;
    let mut all = Peer::connect(&service).await;
    let mut one = Peer::connect(&service).await;
    assert_eq!(
        all.ask(json!({"type": "subscribe", "channel": "sensor.*", "request_id": 1})).await["success"],
        true
    );
    assert_eq!(
        one.ask(json!({"type": "subscribe", "channel": "sensor.b", "request_id": 1})).await["success"],
        true
    );
    // Replies of a service called `sensor` are nobody's message.
    for channel in ["sensor.a", "sensor.responses", "sensor.b"] {
        bus.send_message(channel, json!({"from": channel})).await.unwrap();
    }
    let message =
        |channel: &str| json!({"type": "channel_message", "channel": channel, "data": {"from": channel}});
    for channel in ["sensor.a", "sensor.b"] {
        let mut expected = message(channel);
        expected["pattern"] = json!("sensor.*");
        assert_eq!(all.receive().await, expected);
    }
    assert_eq!(one.receive().await, message("sensor.b"));
    drop((all, one));
    service.stop().await.unwrap();
    math.stop().await.unwrap();
}

#[tokio::test]
async fn a_broadcast_is_published() {
    let (math, service, _) = two("gateway-broadcast", WebSocket::new().gateway(gateway())).await;
    let bus = bus("gateway-broadcast").await;
    let mut chat = bus.listen::<Value>("chat").await.unwrap();
    let mut peer = Peer::connect(&service).await;
    for n in 0..50 {
        peer.send(json!({"type": "broadcast", "channel": "chat", "data": {"n": n}})).await;
    }
    for n in 0..50 {
        assert_eq!(within(chat.next()).await.unwrap(), json!({"n": n}));
    }
    let sent =
        peer.ask(json!({"type": "broadcast", "channel": "rooms.1", "data": [1], "request_id": "x"})).await;
    assert_eq!(sent, answer("x", json!({"receivers": 0})));
    drop(peer);
    service.stop().await.unwrap();
    math.stop().await.unwrap();
}

#[tokio::test]
async fn the_application_decides_for_each_client() {
    let gateway = gateway().authorize(|client, access| match access {
        Access::Call { action: "fail", .. } => panic!("decides badly"),
        Access::Call { action, .. } => {
            action != "add" || client.get::<String>("user").as_deref() == Some("ada")
        }
        Access::Subscribe { channel } => channel == "news",
        _ => false,
    });
    let (math, service, _) = two("gateway-authorize", WebSocket::new().gateway(gateway)).await;
    let mut ada = Peer::connect_to(&service, "/ws?user=ada").await;
    let mut bob = Peer::connect_to(&service, "/ws?user=bob").await;
    assert_eq!(ada.ask(call("1", "add", json!([1, 2]))).await, answer("1", json!(3)));
    let refused = bob.ask(call("1", "add", json!([1, 2]))).await;
    let expected = json!({"type": "response", "request_id": "1", "success": false, "channel": "math",
                          "error": "calls of math.add are not allowed here", "code": "not_allowed"});
    assert_eq!(refused, expected);
    for message in [
        call("2", "fail", json!({})),
        json!({"type": "subscribe", "channel": "sensor.*", "request_id": "2"}),
        json!({"type": "broadcast", "channel": "chat", "request_id": "2"}),
    ] {
        assert_eq!(ada.ask(message).await["code"], "not_allowed");
    }
    assert_eq!(
        bob.ask(json!({"type": "subscribe", "channel": "news", "request_id": 1})).await["success"],
        true
    );
    drop((ada, bob));
    service.stop().await.unwrap();
    math.stop().await.unwrap();
}

#[tokio::test]
async fn the_script_is_served_where_there_is_a_gateway() {
    let (math, service, _) = two("gateway-script", WebSocket::new().gateway(gateway())).await;
    let get = async |service: &Service| {
        let url = format!("http://{}/_service/daebus.js", service.http_addr().unwrap());
        let response = tokio::time::timeout(SOON, reqwest::get(url)).await.unwrap().unwrap();
        let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
        (response.status().as_u16(), kind, response.text().await.unwrap())
    };
    let (status, kind, script) = get(&service).await;
    assert_eq!((status, kind.as_str()), (200, "text/javascript; charset=utf-8"));
    assert!(script.contains("export function connect("), "{script}");
    service.stop().await.unwrap();
    math.stop().await.unwrap();
    let without = serve("gateway-no-script", WebSocket::new(), Blueprint::new("b")).await;
    assert_eq!(get(&without).await.0, 404);
    let mut peer = Peer::connect(&without).await;
    let refused = peer.ask(json!({"type": "subscribe", "channel": "news"})).await;
    assert_eq!(refused["error"], "No handler found for message type 'subscribe'");
    drop(peer);
    without.stop().await.unwrap();
}
