//! Rooms, binary frames, subprotocols and other fields of frames.

use daebus::axum::body::Bytes;
use daebus::prelude::*;
use daebus::{Frame, SocketError};
use daebus_tests_support::within;
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::Message;

use super::peer::{Peer, app, clients, serve};

async fn enter(Payload(room): Payload<String>, client: Client) -> Result<Json<Vec<String>>, BoxError> {
    client.join(&room)?;
    Ok(Json(client.rooms()))
}

async fn exit(Payload(room): Payload<String>, client: Client) -> Json<bool> {
    Json(client.leave(&room))
}

async fn say(Payload(room): Payload<String>, client: Client, sockets: Sockets) -> Result<usize, BoxError> {
    Ok(sockets.room(room).send_where("said", "hello", |other| other.id() != client.id())?)
}

async fn in_the_hall(client: Client) -> Result<Json<&'static str>, BoxError> {
    client.join("hall")?;
    Ok(Json("welcome"))
}

fn blueprint() -> Blueprint {
    Blueprint::new("b").socket("enter", enter).socket("exit", exit).socket("say", say)
}

#[tokio::test]
async fn a_room_contains_its_clients_and_ends_with_the_last_of_them() {
    let service = serve("rooms", WebSocket::new(), blueprint()).await;
    let (mut ada, mut bob) = (Peer::connect(&service).await, Peer::connect(&service).await);
    let sockets = clients(&service, 2).await;
    let hall = sockets.room("hall");
    assert_eq!(hall.send("said", 1).unwrap(), 0);
    for peer in [&mut ada, &mut bob] {
        assert_eq!(peer.ask(json!({"type": "enter", "data": "hall"})).await["data"], json!(["hall"]));
    }
    assert_eq!(ada.ask(json!({"type": "enter", "data": "garden"})).await["data"], json!(["garden", "hall"]));
    assert_eq!((hall.count(), hall.name(), sockets.rooms().len()), (2, "hall", 2));
    assert_eq!(hall.send(None, "all").unwrap(), 2);
    for peer in [&mut ada, &mut bob] {
        assert_eq!(peer.receive().await, json!({"type": "broadcast", "data": "all"}));
    }
    assert_eq!(ada.ask(json!({"type": "say", "data": "hall"})).await["data"], 1);
    assert_eq!(bob.receive().await, json!({"type": "said", "data": "hello"}));
    assert_eq!(bob.ask(json!({"type": "exit", "data": "hall"})).await["data"], true);
    assert_eq!(bob.ask(json!({"type": "exit", "data": "hall"})).await["data"], false);
    assert_eq!(hall.list().len(), 1);
    ada.leave().await;
    clients(&service, 1).await;
    assert!(sockets.rooms().is_empty());
    bob.leave().await;
    service.stop().await.unwrap();
}

#[tokio::test]
async fn rooms_are_limited_per_client_and_can_be_joined_in_connect() {
    let blueprint = blueprint().socket_connect(in_the_hall);
    let service = serve("rooms-most", WebSocket::new().max_rooms(2), blueprint).await;
    let mut peer = Peer::connect(&service).await;
    assert_eq!(peer.receive().await["data"], "welcome");
    let sockets = service.sockets().unwrap();
    assert_eq!(sockets.room("hall").send("said", 1).unwrap(), 1);
    assert_eq!(peer.receive().await["data"], 1);
    let client = sockets.list().pop().unwrap();
    for name in ["", &"x".repeat(256)] {
        assert!(matches!(client.join(name), Err(SocketError::RoomName { .. })));
    }
    client.join(&"x".repeat(255)).unwrap();
    client.join("hall").unwrap();
    assert!(matches!(client.join("third"), Err(SocketError::TooManyRooms { limit: 2, .. })));
    assert!(client.leave("hall"));
    client.join("third").unwrap();
    peer.leave().await;
    clients(&service, 0).await;
    assert!(matches!(client.join("again"), Err(SocketError::NotConnected { .. })));
    assert!(sockets.rooms().is_empty());
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_client_that_replaces_another_does_not_join_its_rooms() {
    let limits = WebSocket::new().client_ids(|_: &daebus::Upgrade| "kiosk".to_owned());
    let service = serve("rooms-place", limits, blueprint()).await;
    let mut first = Peer::connect(&service).await;
    first.ask(json!({"type": "enter", "data": "hall"})).await;
    let mut second = Peer::connect(&service).await;
    assert_eq!(first.closed().await.0, 1008);
    assert_eq!(service.sockets().unwrap().room("hall").count(), 0);
    assert_eq!(second.ask(json!({"type": "enter", "data": "hall"})).await["data"], json!(["hall"]));
    assert_eq!(service.sockets().unwrap().room("hall").count(), 1);
    second.leave().await;
    service.stop().await.unwrap();
}

#[derive(Serialize)]
pub struct Stored {
    bytes: usize,
}

#[socket_binary(timeout = "2s", concurrency = 4)]
pub async fn picture(content: Bytes, client: Client) -> Result<Stored, Fault> {
    if content.is_empty() {
        return Err(Fault::new("empty", "an empty picture shows nothing"));
    }
    client.send_binary(content.slice(..1)).map_err(|error| Fault::new("gone", error.to_string()))?;
    client
        .send_binary_async(content.slice(1..))
        .await
        .map_err(|error| Fault::new("gone", error.to_string()))?;
    Ok(Stored { bytes: content.len() })
}

async fn received(peer: &mut Peer) -> Message {
    within(peer.0.next()).await.unwrap().unwrap()
}

#[tokio::test]
async fn binary_frames_run_their_handler() {
    let blueprint = blueprint_of!["b"; picture].socket("enter", enter);
    let service = serve("pictures", WebSocket::new(), blueprint).await;
    let mut peer = Peer::connect(&service).await;
    peer.0.send(Message::binary(vec![0xff, 0, 1])).await.unwrap();
    assert_eq!(received(&mut peer).await, Message::binary(vec![0xff]));
    assert_eq!(received(&mut peer).await, Message::binary(vec![0, 1]));
    assert_eq!(peer.receive().await, json!({"type": "response", "data": {"bytes": 3}}));
    peer.0.send(Message::binary(Vec::new())).await.unwrap();
    let error = json!({"error": "an empty picture shows nothing", "code": "empty"});
    assert_eq!(peer.receive().await, json!({"type": "error", "data": error, "success": false}));
    assert_eq!(peer.ask(json!({"type": "enter", "data": "hall"})).await["type"], "response");
    peer.leave().await;
    service.stop().await.unwrap();
}

async fn size(content: Bytes) -> Json<usize> {
    Json(content.len())
}

#[tokio::test]
async fn two_handlers_of_binary_frames_are_refused() {
    let blueprint = Blueprint::new("b").socket_binary(size).socket_binary(size);
    let error = app("binary-two", WebSocket::new(), blueprint).start().await.unwrap_err().to_string();
    assert!(error.contains("two handlers answer binary frames"), "{error}");
}

async fn protocol(client: Client) -> Json<Option<String>> {
    Json(Some(client.subprotocol().unwrap_or("none").to_owned()))
}

#[tokio::test]
async fn the_preferred_subprotocol_of_the_service_is_selected() {
    let blueprint = Blueprint::new("b").socket("protocol", protocol);
    let service = serve("protocols", WebSocket::new().subprotocols(["v2", "v1"]), blueprint).await;
    for (offered, agreed) in [("v1", "v1"), ("v1, v2", "v2"), ("v3, v1", "v1")] {
        let headers = [("Sec-WebSocket-Protocol", offered)];
        let mut peer = Peer::try_connect(&service, "/ws", &headers).await.ok().unwrap();
        assert_eq!(peer.ask(json!({"type": "protocol"})).await["data"], agreed);
    }
    let mut peer = Peer::connect(&service).await;
    assert_eq!(peer.ask(json!({"type": "protocol"})).await["data"], "none");
    service.stop().await.unwrap();
    let unusable = WebSocket::new().subprotocols(["a b"]);
    let error = app("protocol-name", unusable, Blueprint::new("b")).start().await.unwrap_err().to_string();
    assert!(error.contains("\"a b\" can't be a WebSocket subprotocol"), "{error}");
}

async fn fields(Payload(data): Payload<Value>, frame: Frame) -> Json<Value> {
    let names: Vec<&str> = frame.names().collect();
    let (game, missing): (Option<u64>, Option<u64>) = (frame.get("game"), frame.get("missing"));
    Json(json!({"kind": frame.kind(), "names": names, "game": game, "missing": missing, "data": data}))
}

#[tokio::test]
async fn a_handler_can_read_the_other_fields_of_a_frame() {
    let service = serve("fields", WebSocket::new(), Blueprint::new("b").socket("fields", fields)).await;
    let mut peer = Peer::connect(&service).await;
    peer.send_text(r#"{"type": "fields", "data": 1, "game": 7, "odd": NaN, "request_id": "a"}"#).await;
    let data = json!({"kind": "fields", "names": ["game", "odd", "request_id"], "game": 7, "missing": null, "data": 1});
    assert_eq!(peer.receive().await, json!({"type": "response", "data": data, "request_id": "a"}));
    peer.leave().await;
    service.stop().await.unwrap();
}
