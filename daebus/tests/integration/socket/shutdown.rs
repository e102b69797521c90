//! The stop of a service with connected clients.

use std::sync::Arc;
use std::time::{Duration, Instant};

use daebus::prelude::*;
use daebus_tests_support::within;
use tokio::sync::Notify;

use super::peer::{Peer, app, clients, serve};

#[derive(Clone, Default)]
struct Steps {
    entered: Arc<Notify>,
    go_on: Arc<Notify>,
    left: Arc<std::sync::atomic::AtomicUsize>,
}

async fn work(State(steps): State<Steps>) -> Json<&'static str> {
    steps.entered.notify_one();
    steps.go_on.notified().await;
    Json("done")
}

async fn left(State(steps): State<Steps>) {
    steps.left.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
}

fn blueprint() -> Blueprint {
    Blueprint::new("b").socket("work", work).socket_disconnect(left)
}

#[tokio::test]
async fn clients_receive_server_shutdown_and_are_disconnected() {
    let steps = Steps::default();
    let service = app("told", WebSocket::new(), blueprint()).state(steps.clone()).start().await.unwrap();
    let mut peer = Peer::connect(&service).await;
    clients(&service, 1).await;
    let (stopped, ()) = tokio::join!(service.stop(), async {
        let shutdown = json!({"message": "Server is shutting down", "reconnect": true});
        assert_eq!(peer.receive().await, json!({"type": "server_shutdown", "data": shutdown}));
        assert_eq!(peer.closed().await, (1001, "Server is shutting down".to_owned()));
    });
    stopped.unwrap();
    assert_eq!(steps.left.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[tokio::test]
async fn the_application_can_set_the_shutdown_message() {
    let web_socket = WebSocket::new().shutdown_message("closing time", false);
    let service = serve("words", web_socket, Blueprint::new("b")).await;
    let mut peer = Peer::connect(&service).await;
    clients(&service, 1).await;
    let (stopped, ()) = tokio::join!(service.stop(), async {
        assert_eq!(peer.receive().await["data"], json!({"message": "closing time", "reconnect": false}));
        assert_eq!(peer.closed().await, (1001, "closing time".to_owned()));
    });
    stopped.unwrap();
}

#[tokio::test]
async fn messages_in_progress_are_answered_before_the_close() {
    let steps = Steps::default();
    let service = app("first", WebSocket::new(), blueprint()).state(steps.clone()).start().await.unwrap();
    let mut peer = Peer::connect(&service).await;
    peer.send(json!({"type": "work"})).await;
    within(steps.entered.notified()).await;
    let (stopped, ()) = tokio::join!(service.stop(), async {
        assert_eq!(peer.receive().await["type"], "server_shutdown");
        steps.go_on.notify_one();
        assert_eq!(peer.receive().await["data"], "done");
        assert_eq!(peer.closed().await.0, 1001);
    });
    stopped.unwrap();
}

#[tokio::test]
async fn a_handler_that_does_not_end_is_cut_off_and_its_client_disconnected() {
    let steps = Steps::default();
    let service = app("cut", WebSocket::new(), blueprint())
        .state(steps.clone())
        .drain(Duration::from_millis(200))
        .start()
        .await
        .unwrap();
    let mut peer = Peer::connect(&service).await;
    peer.send(json!({"type": "work"})).await;
    within(steps.entered.notified()).await;
    let started = Instant::now();
    let error = within(service.stop()).await.unwrap_err().to_string();
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(error.contains("work"), "{error}");
    assert_eq!(peer.receive().await["type"], "server_shutdown");
    assert_eq!(peer.closed().await.0, 1001);
}
