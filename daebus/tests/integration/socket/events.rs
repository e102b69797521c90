//! Clients that connect, identify themselves and disconnect.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use daebus::Upgrade;
use daebus::prelude::*;
use daebus_tests_support::eventually;

use super::peer::{Peer, app, clients, serve};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn note(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

#[derive(Deserialize)]
struct Token {
    #[serde(default)]
    token: String,
}

async fn joined(
    Payload(Token { token }): Payload<Token>,
    State(log): State<Log>,
    client: Client,
    sockets: Sockets,
) -> Result<Json<Value>, Fault> {
    log.note(format!("joined {token} {}", sockets.count()));
    match token.as_str() {
        "good" => Ok(Json(json!({"you": client.id(), "path": client.path()}))),
        "long" => Err(Fault::new("no", "ä".repeat(100))),
        "panic" => panic!("in connect"),
        _ => Err(Fault::new("no", "that token is not known here")),
    }
}

async fn left(
    Payload(Token { token }): Payload<Token>,
    State(log): State<Log>,
    client: Client,
    sockets: Sockets,
) {
    log.note(format!("left {token} {} {}", sockets.count(), client.is_connected()));
}

async fn who(client: Client) -> Json<Value> {
    Json(json!({"id": client.id()}))
}

fn gated(name: &str, log: &Log) -> Daebus {
    let blueprint = Blueprint::new("b").socket_connect(joined).socket_disconnect(left).socket("who", who);
    app(name, WebSocket::new(), blueprint).state(log.clone())
}

#[tokio::test]
async fn connect_and_disconnect_handlers_run() {
    let log = Log::default();
    let service = gated("comes", &log).start().await.unwrap();
    let mut peer = Peer::connect_to(&service, "/ws?token=good&more=1").await;
    let welcome = peer.receive().await;
    let id = welcome["data"]["you"].as_str().unwrap().to_owned();
    assert_eq!(welcome, json!({"type": "response", "data": {"you": id, "path": "/ws"}}));
    assert!(id.starts_with("user_") && id.len() == "user_".len() + 36, "{id}");
    assert_eq!(peer.ask(json!({"type": "who"})).await["data"]["id"], *id);
    let sockets = clients(&service, 1).await;
    assert_eq!(sockets.get(&id).unwrap().query()["more"], "1");
    peer.leave().await;
    eventually("the handler of its end has run", async || log.lines().len() == 2).await;
    assert_eq!(log.lines(), ["joined good 0", "left good 0 false"]);
    assert_eq!(sockets.count(), 0);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_broken_connection_runs_the_disconnect_handler() {
    let log = Log::default();
    let service = gated("vanishes", &log).start().await.unwrap();
    let mut peer = Peer::connect_to(&service, "/ws?token=good").await;
    peer.receive().await;
    drop(peer);
    eventually("the handler of its end has run", async || log.lines().len() == 2).await;
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_rejected_client_receives_the_reason() {
    let log = Log::default();
    let service = gated("turned", &log).start().await.unwrap();
    for (token, reason) in [
        ("bad", "that token is not known here".to_owned()),
        ("long", "ä".repeat(61)),
        ("panic", "the service failed inside; its log says why".to_owned()),
    ] {
        let mut peer = Peer::connect_to(&service, &format!("/ws?token={token}")).await;
        assert_eq!(peer.closed().await, (1008, reason));
    }
    assert_eq!(service.sockets().unwrap().count(), 0);
    service.stop().await.unwrap();
    // A rejected client runs no `disconnect` handler.
    assert!(log.lines().iter().all(|line| line.starts_with("joined")), "{:?}", log.lines());
}

#[tokio::test]
async fn a_rejected_client_receives_no_broadcast_and_its_messages_are_not_handled() {
    let log = Log::default();
    let service = gated("deaf", &log).start().await.unwrap();
    let mut peer = Peer::connect_to(&service, "/ws").await;
    service.sockets().unwrap().broadcast(None, 1).unwrap();
    // The client receives nothing but the close frame.
    let _ = futures_util::SinkExt::send(
        &mut peer.0,
        tokio_tungstenite::tungstenite::Message::text(r#"{"type": "who"}"#),
    )
    .await;
    assert_eq!(peer.closed().await.0, 1008);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_client_does_not_run_the_handlers_of_its_connection() {
    let log = Log::default();
    let service = gated("events", &log).start().await.unwrap();
    let mut peer = Peer::connect_to(&service, "/ws?token=good").await;
    peer.receive().await;
    for kind in ["connect", "disconnect"] {
        let answer = peer.ask(json!({"type": kind, "data": {"token": "good"}})).await;
        let error = format!("No handler found for message type '{kind}'");
        assert_eq!(answer, json!({"type": "error", "error": error}));
    }
    assert_eq!(log.lines(), ["joined good 0"]);
    peer.leave().await;
    service.stop().await.unwrap();
}

#[tokio::test]
async fn client_events_makes_connect_and_disconnect_ordinary_types() {
    let log = Log::default();
    let blueprint = Blueprint::new("b").socket_connect(joined).socket_disconnect(left).socket("who", who);
    let limits = WebSocket::new().client_events(true);
    let service = app("ordinary", limits, blueprint).state(log.clone()).start().await.unwrap();
    let mut peer = Peer::connect_to(&service, "/ws?token=good").await;
    peer.receive().await;
    let answer = peer.ask(json!({"type": "connect", "data": {"token": "bad"}})).await;
    assert_eq!(answer["data"]["error"], "that token is not known here");
    peer.send(json!({"type": "disconnect", "data": {"token": "said"}})).await;
    assert_eq!(peer.ask(json!({"type": "who"})).await["type"], "response");
    assert_eq!(log.lines(), ["joined good 0", "joined bad 1", "left said 1 true"]);
    peer.leave().await;
    service.stop().await.unwrap();
}

#[tokio::test]
async fn the_application_sets_client_ids_and_a_later_client_replaces_an_earlier_one() {
    let ids = |upgrade: &Upgrade| match upgrade.query().get("id").map(String::as_str) {
        Some("panic") => panic!("no id"),
        id => id.unwrap_or_default().to_owned(),
    };
    let blueprint = Blueprint::new("b").socket("who", who);
    let service = serve("ids", WebSocket::new().client_ids(ids), blueprint).await;
    let mut first = Peer::connect_to(&service, "/ws?id=kiosk-1").await;
    assert_eq!(first.ask(json!({"type": "who"})).await["data"]["id"], "kiosk-1");
    for path in ["/ws", "/ws?id=panic"] {
        let mut nameless = Peer::connect_to(&service, path).await;
        let id = nameless.ask(json!({"type": "who"})).await["data"]["id"].clone();
        assert!(id.as_str().unwrap().starts_with("user_"), "{id}");
        nameless.leave().await;
    }
    let mut second = Peer::connect_to(&service, "/ws?id=kiosk-1").await;
    assert_eq!(second.ask(json!({"type": "who"})).await["data"]["id"], "kiosk-1");
    assert_eq!(first.closed().await.0, 1008);
    // The end of the first connection doesn't remove the second.
    let sockets = clients(&service, 1).await;
    sockets.send("kiosk-1", None, "still here").unwrap();
    assert_eq!(second.receive().await, json!({"type": "message", "data": "still here"}));
    second.leave().await;
    service.stop().await.unwrap();
}

async fn register(Payload(who): Payload<Value>, client: Client) -> Result<Json<Value>, BoxError> {
    client.set("user", &who["user"])?;
    Ok(Json(json!({"status": "registered", "client_id": client.id()})))
}

#[tokio::test]
async fn a_client_reports_its_address_headers_and_data() {
    let blueprint = Blueprint::new("b").socket_register(register);
    let service = serve("known", WebSocket::new(), blueprint).await;
    let mut peer = Peer::try_connect(&service, "/ws?a=1&a=2", &[("X-Kiosk", "7")]).await.ok().unwrap();
    let answer = peer.ask(json!({"type": "register", "data": {"user": "ada"}})).await;
    assert_eq!(answer["data"]["status"], "registered");
    let sockets = clients(&service, 1).await;
    let client = sockets.list().pop().unwrap();
    eventually("the answer is counted", async || client.messages_out() == 1).await;
    assert_eq!(client.messages_in(), 1);
    assert_eq!(client.dropped(), 0);
    assert_eq!(client.path(), "/ws");
    assert_eq!(client.query()["a"], "2");
    assert_eq!(client.headers()["x-kiosk"], "7");
    assert!(client.address().unwrap().ip().is_loopback());
    assert!(client.connected_at().elapsed().unwrap() < Duration::from_secs(60));
    assert!(client.idle() <= client.uptime());
    assert!(client.last_activity() >= client.connected_at());
    assert_eq!(client.get::<String>("user").as_deref(), Some("ada"));
    assert_eq!(client.get::<u8>("user"), None);
    assert_eq!(client.get::<String>("room"), None);
    let info = serde_json::to_value(client.info()).unwrap();
    assert_eq!((&info["messages_in"], &info["attributes"]["user"]), (&json!(1), &json!("ada")));
    assert_eq!(sockets.filter(|client| client.get::<String>("user").is_some()).len(), 1);
    assert_eq!(sockets.filter(|client| client.uptime() > Duration::from_secs(3600)).len(), 0);
    assert!(sockets.disconnect(client.id(), 4001, "that is enough"));
    assert!(!sockets.disconnect("user_nobody", 1000, ""));
    assert_eq!(peer.closed().await, (4001, "that is enough".to_owned()));
    eventually("the client is removed", async || sockets.count() == 0).await;
    assert!(client.send(None, 1).is_err() && !client.is_connected());
    service.stop().await.unwrap();
}
