//! Limits of clients: rate, size of messages, idle time, connections.

use std::time::Duration;

use daebus::prelude::*;
use daebus_tests_support::{eventually, within};
use futures_util::{SinkExt, StreamExt};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use super::peer::{Peer, SOON, clients, serve};

async fn echo(Payload(value): Payload<Value>) -> Json<Value> {
    Json(value)
}

fn blueprint() -> Blueprint {
    Blueprint::new("b").socket("echo", echo)
}

#[tokio::test]
async fn messages_beyond_the_rate_are_refused_in_order() {
    let limits = WebSocket::new().rate_limit(3, Duration::from_secs(3600));
    let service = serve("rate", limits, blueprint()).await;
    let mut peer = Peer::connect(&service).await;
    for n in 0..5 {
        peer.send(json!({"type": "echo", "data": n, "request_id": n})).await;
    }
    for n in 0..3 {
        assert_eq!(peer.receive().await, json!({"type": "response", "data": n, "request_id": n}));
    }
    for n in 3..5 {
        let refusal =
            json!({"type": "error", "error": "Rate limit exceeded", "retry_after": 3600, "request_id": n});
        assert_eq!(peer.receive().await, refusal);
    }
    // The limit applies to each client separately.
    let mut other = Peer::connect(&service).await;
    assert_eq!(other.ask(json!({"type": "echo", "data": 1})).await["data"], 1);
    drop((peer, other));
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_client_that_keeps_sending_is_accepted_again_after_the_period() {
    let limits = WebSocket::new().rate_limit(1, Duration::from_millis(20));
    let service = serve("again", limits, blueprint()).await;
    let mut peer = Peer::connect(&service).await;
    assert_eq!(peer.ask(json!({"type": "echo", "data": 1})).await["data"], 1);
    let accepted_again = async {
        while peer.ask(json!({"type": "echo", "data": 2})).await["type"] == "error" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within(accepted_again).await;
    drop(peer);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_message_that_is_too_large_closes_the_connection() {
    let service = serve("large", WebSocket::new().max_message(1000), blueprint()).await;
    for bytes in [1001, 60_000, 5_000_000] {
        let peer = Peer::connect(&service).await;
        let (mut sink, mut stream) = peer.0.split();
        // Beyond the hard limit the service stops reading, so that sending may never complete.
        let send = async {
            let _ = sink.send(Message::text("x".repeat(bytes))).await;
            std::future::pending::<()>().await;
        };
        let closed = async {
            match stream.next().await {
                Some(Ok(Message::Close(Some(frame)))) => (u16::from(frame.code), frame.reason.to_string()),
                other => panic!("{bytes} bytes: {other:?}"),
            }
        };
        let closed = tokio::select! {
            closed = timeout(SOON, closed) => closed.unwrap(),
            () = send => unreachable!(),
        };
        assert_eq!(closed, (1009, "messages have at most 1000 bytes here".to_owned()));
    }
    let mut peer = Peer::connect(&service).await;
    let most = "x".repeat(1000 - json!({"type": "echo", "data": ""}).to_string().len());
    assert_eq!(peer.ask(json!({"type": "echo", "data": most})).await["data"], *most);
    drop(peer);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn broken_frames_close_the_connection() {
    let service = serve("broken", WebSocket::new(), blueprint()).await;
    let mut peer = Peer::connect(&service).await;
    // A text frame that isn't UTF-8. tungstenite doesn't send one, so the bytes are written directly.
    let stream = peer.0.get_mut();
    let frame = [0x81, 0x82, 0, 0, 0, 0, 0xff, 0xfe];
    tokio::io::AsyncWriteExt::write_all(stream, &frame).await.unwrap();
    assert_eq!(peer.closed().await.0, 1007);
    let mut peer = Peer::connect(&service).await;
    tokio::io::AsyncWriteExt::write_all(peer.0.get_mut(), &[0xff, 0x80, 0, 0, 0, 0]).await.unwrap();
    assert_eq!(peer.closed().await.0, 1002);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn clients_are_pinged_and_disconnected_if_they_do_not_answer() {
    let service = serve("ping", WebSocket::new().ping(Duration::from_millis(500)), blueprint()).await;
    let mut alive = Peer::connect(&service).await;
    // The stream isn't read, so pings remain unanswered.
    let dead = Peer::connect(&service).await;
    let sockets = clients(&service, 2).await;
    let mut pings = 0;
    let pinged = async {
        while sockets.count() == 2 || pings < 3 {
            match alive.0.next().await {
                Some(Ok(Message::Ping(_))) => pings += 1,
                other => panic!("{other:?}"),
            }
        }
    };
    within(pinged).await;
    assert_eq!(sockets.count(), 1);
    assert_eq!(alive.ask(json!({"type": "echo", "data": 1})).await["data"], 1);
    drop(dead);
    drop(alive);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn an_idle_timeout_disconnects_silent_clients() {
    let limits = WebSocket::new().ping(Duration::from_millis(700)).idle_timeout(Duration::from_millis(1600));
    let service = serve("idle", limits, blueprint()).await;
    let mut silent = Peer::connect(&service).await;
    let started = std::time::Instant::now();
    // Pongs don't count as activity.
    assert_eq!(silent.closed().await, (1000, "no message for 1.6s".to_owned()));
    assert!(started.elapsed() >= Duration::from_millis(1500), "{:?}", started.elapsed());
    service.stop().await.unwrap();
}

#[tokio::test]
async fn pages_of_other_hosts_may_not_connect() {
    let service = serve("origin", WebSocket::new(), blueprint()).await;
    let (status, body) =
        Peer::try_connect(&service, "/ws", &[("Origin", "http://evil.example")]).await.err().unwrap();
    assert_eq!((status, &body["code"]), (403, &json!("origin_not_allowed")));
    assert!(body["error"].as_str().unwrap().contains(".origins([\"http://evil.example\"])"), "{body}");
    assert!(Peer::try_connect(&service, "/ws", &[("Origin", "http://127.0.0.1:3000")]).await.is_ok());
    service.stop().await.unwrap();

    let listed = WebSocket::new().origins(["https://app.example"]);
    let service = serve("origins", listed, blueprint()).await;
    assert!(Peer::try_connect(&service, "/ws", &[("Origin", "https://app.example")]).await.is_ok());
    assert!(Peer::try_connect(&service, "/ws", &[("Origin", "http://127.0.0.1")]).await.is_err());
    assert!(Peer::try_connect(&service, "/ws", &[]).await.is_ok());
    service.stop().await.unwrap();
}

#[tokio::test]
async fn refuses_connections_above_the_limit() {
    let service = serve("most", WebSocket::new().max_connections(2), blueprint()).await;
    let first = Peer::connect(&service).await;
    let second = Peer::connect(&service).await;
    let (status, body) = Peer::try_connect(&service, "/ws", &[]).await.err().unwrap();
    assert_eq!((status, &body["code"]), (503, &json!("overloaded")));
    let sockets = clients(&service, 2).await;
    first.leave().await;
    eventually("its place is free", async || sockets.count() == 1).await;
    let again = async {
        while Peer::try_connect(&service, "/ws", &[]).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within(Box::pin(again)).await;
    second.leave().await;
    service.stop().await.unwrap();
}
