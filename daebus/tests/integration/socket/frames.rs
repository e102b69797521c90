//! The frames of the WebSocket protocol.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use daebus::prelude::*;
use daebus::{Context, Next, Outcome, layer};
use futures_util::SinkExt;
use tokio_tungstenite::tungstenite::Message;

use super::peer::{Peer, serve};

#[derive(Deserialize)]
struct Add {
    a: i64,
    #[serde(default)]
    b: i64,
}

#[derive(Debug, thiserror::Error, Serialize, Deserialize, Fault)]
enum ChatError {
    #[error("{room} is full")]
    #[fault(code = "full")]
    Full { room: String },
}

#[derive(Serialize)]
struct Ack {}

async fn echo(Payload(value): Payload<Value>) -> Json<Value> {
    Json(value)
}

async fn add(Payload(Add { a, b }): Payload<Add>) -> Json<i64> {
    Json(a + b)
}

async fn silent() {}

async fn nobody() -> Json<Option<u8>> {
    Json(None)
}

async fn empty() -> Json<Ack> {
    Json(Ack {})
}

async fn empty_map() -> Result<BTreeMap<String, u8>, Fault> {
    Ok(BTreeMap::new())
}

async fn full() -> Result<(), ChatError> {
    Err(ChatError::Full { room: "lobby".to_owned() })
}

async fn broken() -> Result<(), BoxError> {
    Err("the disk is on fire".into())
}

async fn panics() {
    panic!("at once");
}

async fn unit(Payload(()): Payload<()>) -> Json<u8> {
    Json(1)
}

fn blueprint() -> Blueprint {
    Blueprint::new("b")
        .socket("echo", echo)
        .socket("add", add)
        .socket("silent", silent)
        .socket("nobody", nobody)
        .socket("empty", empty)
        .socket("empty_map", empty_map)
        .socket("full", full)
        .socket("broken", broken)
        .socket("panics", panics)
        .socket("unit", unit)
        .socket_register(echo)
}

#[tokio::test]
async fn frames_are_those_of_the_protocol() {
    let service = serve("frames", WebSocket::new(), blueprint()).await;
    let mut peer = Peer::connect(&service).await;
    for (message, expected) in [
        (
            r#"{"type": "echo", "data": {"a": [1, null]}}"#,
            json!({"type": "response", "data": {"a": [1, null]}}),
        ),
        (r#"{"type": "echo"}"#, json!({"type": "response", "data": {}})),
        (r#"{"type": "echo", "data": "5"}"#, json!({"type": "response", "data": "5"})),
        (r#"{"type": "add", "data": {"a": 1, "b": 2}}"#, json!({"type": "response", "data": 3})),
        (r#"{"type": "add", "data": {"a": NaN, "a": 4}, "x": 1}"#, json!({"type": "response", "data": 4})),
        (r#"{"type": "unit"}"#, json!({"type": "response", "data": 1})),
        (r#"{"type": "unit", "data": null}"#, json!({"type": "response", "data": 1})),
        (
            r#"{"type": "echo", "data": 1, "request_id": {"n": 7}}"#,
            json!({"type": "response", "data": 1, "request_id": {"n": 7}}),
        ),
        (
            r#"{"type": "register", "data": {"user": "ada"}}"#,
            json!({"type": "response", "data": {"user": "ada"}}),
        ),
        (r#"{"type": "empty"}"#, json!({"type": "response", "data": {}})),
        (r#"{"type": "empty_map"}"#, json!({"type": "response", "data": {}})),
        ("hello", json!({"type": "error", "error": "Invalid JSON"})),
        ("", json!({"type": "error", "error": "Invalid JSON"})),
        ("[]", json!({"type": "error", "error": "No message type provided"})),
        (
            r#"{"data": 1, "request_id": 8}"#,
            json!({"type": "error", "error": "No message type provided", "request_id": 8}),
        ),
        (
            r#"{"type": "x", "request_id": "9"}"#,
            json!({"type": "error", "error": "No handler found for message type 'x'", "request_id": "9"}),
        ),
        (
            r#"{"type": "full", "request_id": 1}"#,
            json!({"type": "error", "data": {"error": "lobby is full", "code": "full", "details": {"Full": {"room": "lobby"}}}, "success": false, "request_id": 1}),
        ),
    ] {
        peer.send_text(message).await;
        assert_eq!(peer.receive().await, expected, "{message}");
    }
    peer.leave().await;
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_handler_that_returns_nothing_sends_nothing() {
    let service = serve("nothing", WebSocket::new(), blueprint()).await;
    let mut peer = Peer::connect(&service).await;
    peer.send(json!({"type": "silent", "request_id": 1})).await;
    peer.send(json!({"type": "nobody", "request_id": 2})).await;
    assert_eq!(peer.ask(json!({"type": "echo", "data": 3})).await, json!({"type": "response", "data": 3}));
    peer.leave().await;
    service.stop().await.unwrap();
}

#[tokio::test]
async fn internal_failures_are_answered_with_internal_and_the_client_stays_connected() {
    let service = serve("inside", WebSocket::new(), blueprint()).await;
    let mut peer = Peer::connect(&service).await;
    for kind in ["broken", "panics"] {
        let answer = peer.ask(json!({"type": kind, "request_id": kind})).await;
        assert_eq!(answer["type"], "error");
        assert_eq!(answer["data"]["code"], "internal");
        assert_eq!(answer["request_id"], kind);
        assert!(!answer.to_string().contains("fire") && !answer.to_string().contains("at once"));
    }
    let answer = peer.ask(json!({"type": "add", "data": {"a": "x"}})).await;
    assert_eq!(answer["data"]["code"], "invalid_payload");
    assert!(answer["data"]["error"].as_str().unwrap().contains("`a`"), "{answer}");
    assert_eq!(peer.ask(json!({"type": "unit"})).await["data"], 1);
    peer.leave().await;
    service.stop().await.unwrap();
}

#[tokio::test]
async fn json_in_a_binary_frame_is_accepted() {
    let service = serve("binary", WebSocket::new(), blueprint()).await;
    let mut peer = Peer::connect(&service).await;
    peer.0.send(Message::binary(r#"{"type": "echo", "data": 1}"#)).await.unwrap();
    assert_eq!(peer.receive().await, json!({"type": "response", "data": 1}));
    peer.0.send(Message::binary(vec![0xff, 0x00])).await.unwrap();
    assert_eq!(peer.receive().await, json!({"type": "error", "error": "Invalid JSON"}));
    peer.leave().await;
    service.stop().await.unwrap();
}

async fn counted(cx: Context, next: Next) -> Outcome {
    if let Some(counter) = cx.state::<Arc<AtomicUsize>>() {
        counter.fetch_add(1, Ordering::SeqCst);
    }
    match cx.headers().get("authorization").map(String::as_str) {
        Some("Bearer open sesame") => next.run(cx).await,
        _ => Err(Fault::new("unauthenticated", "log in first").into()),
    }
}

#[tokio::test]
async fn layers_wrap_sockets_and_receive_the_headers_of_the_upgrade() {
    let counter = Arc::new(AtomicUsize::new(0));
    let blueprint = blueprint().layer(layer::from_fn(counted));
    let service = super::peer::app("layers", WebSocket::new(), blueprint)
        .state(Arc::clone(&counter))
        .start()
        .await
        .unwrap();
    let mut stranger = Peer::connect(&service).await;
    let answer = stranger.ask(json!({"type": "unit"})).await;
    assert_eq!(answer["data"], json!({"error": "log in first", "code": "unauthenticated"}));
    let headers = [("Authorization", "Bearer open sesame")];
    let mut friend = Peer::try_connect(&service, "/ws", &headers).await.ok().unwrap();
    assert_eq!(friend.ask(json!({"type": "unit"})).await["data"], 1);
    assert_eq!(counter.load(Ordering::SeqCst), 2);
    stranger.leave().await;
    friend.leave().await;
    service.stop().await.unwrap();
}
