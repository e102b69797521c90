//! Clients that don't read.

use std::time::Duration;

use daebus::prelude::*;
use daebus::{Service, Sockets, WhenFull};
use daebus_tests_support::{eventually, within};
use tokio::time::timeout;

use super::peer::{Peer, clients, serve};

async fn who(client: Client) -> Json<String> {
    Json(client.id().to_owned())
}

/// Sends until a message is dropped. Returns the number of sent messages.
async fn flood(sockets: &Sockets, quick: &mut Peer) -> usize {
    let text = "x".repeat(64 * 1024);
    let flooding = async {
        for n in 0.. {
            sockets.broadcast("tick", json!({"n": n, "text": text})).unwrap();
            // The client that reads receives every message immediately.
            assert_eq!(quick.receive().await["data"]["n"], n);
            if sockets.dropped() > 0 {
                return n;
            }
        }
        0
    };
    within(flooding).await
}

async fn two(name: &str, web_socket: WebSocket) -> (Service, Peer, Peer, Client) {
    let service = serve(name, web_socket, Blueprint::new("b").socket("who", who)).await;
    let mut slow = Peer::connect(&service).await;
    let id = slow.ask(json!({"type": "who"})).await["data"].as_str().unwrap().to_owned();
    let quick = Peer::connect(&service).await;
    let sockets = clients(&service, 2).await;
    let client = sockets.get(&id).unwrap();
    (service, slow, quick, client)
}

#[tokio::test]
async fn a_slow_client_loses_the_oldest_messages_and_does_not_delay_others() {
    let (service, mut slow, mut quick, client) = two("oldest", WebSocket::new().queue(4)).await;
    let sockets = service.sockets().unwrap();
    let last = flood(&sockets, &mut quick).await;
    assert!(client.dropped() > 0 && client.is_connected());
    // The remaining messages arrive in order, including the newest.
    let mut seen = None;
    let catching_up = async {
        loop {
            let n = slow.receive().await["data"]["n"].as_u64().unwrap();
            assert!(seen < Some(n), "{n} after {seen:?}");
            seen = Some(n);
            if n == last as u64 {
                return;
            }
        }
    };
    within(catching_up).await;
    assert_eq!(sockets.dropped(), client.dropped());
    drop((slow, quick));
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_slow_client_can_be_disconnected_instead() {
    let web_socket = WebSocket::new().queue(4).when_full(WhenFull::Disconnect);
    let (service, slow, mut quick, client) = two("disconnect", web_socket).await;
    let sockets = service.sockets().unwrap();
    flood(&sockets, &mut quick).await;
    assert!(!client.is_connected());
    eventually("it is gone", async || sockets.count() == 1).await;
    drop((slow, quick));
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_client_that_reads_nothing_does_not_delay_the_stop() {
    let (service, slow, mut quick, _) = two("end", WebSocket::new().queue(4)).await;
    flood(&service.sockets().unwrap(), &mut quick).await;
    let started = std::time::Instant::now();
    let reading = tokio::spawn(async move {
        while quick.receive().await["type"] != "server_shutdown" {}
        quick.closed().await
    });
    timeout(Duration::from_secs(20), service.stop()).await.unwrap().unwrap();
    // Five seconds for the queued frames.
    assert!(started.elapsed() < Duration::from_secs(9), "{:?}", started.elapsed());
    assert_eq!(reading.await.unwrap().0, 1001);
    drop(slow);
}
