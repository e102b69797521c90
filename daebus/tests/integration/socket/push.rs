//! Messages that the service pushes, and the order of messages.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use daebus::prelude::*;
use daebus_tests_support::{eventually, within};
use tokio::sync::{Notify, Semaphore};
use tokio::time::timeout;

use super::peer::{Peer, app, clients, serve};

async fn who(client: Client) -> Json<String> {
    Json(client.id().to_owned())
}

async fn shout(Payload(text): Payload<String>, sockets: Sockets) -> Result<usize, BoxError> {
    Ok(sockets.broadcast("shout", &text)?)
}

async fn on_news(Payload(news): Payload<Value>, sockets: Sockets) -> Result<(), BoxError> {
    sockets.broadcast("news", &news)?;
    Ok(())
}

fn blueprint() -> Blueprint {
    Blueprint::new("b").socket("who", who).action("shout", shout).listen("news", on_news)
}

#[tokio::test]
async fn messages_are_sent_to_one_several_or_all_clients() {
    let service = serve("push", WebSocket::new(), blueprint()).await;
    let (mut a, mut b, mut c) =
        (Peer::connect(&service).await, Peer::connect(&service).await, Peer::connect(&service).await);
    let mut ids = Vec::new();
    for peer in [&mut a, &mut b, &mut c] {
        ids.push(peer.ask(json!({"type": "who"})).await["data"].as_str().unwrap().to_owned());
    }
    let sockets = clients(&service, 3).await;
    assert_eq!(sockets.broadcast(None, json!({"n": 1})).unwrap(), 3);
    for peer in [&mut a, &mut b, &mut c] {
        assert_eq!(peer.receive().await, json!({"type": "broadcast", "data": {"n": 1}}));
    }
    sockets.send(&ids[0], None, 2).unwrap();
    assert_eq!(a.receive().await, json!({"type": "message", "data": 2}));
    assert_eq!(sockets.send_to([&ids[1], &ids[2], "user_nobody"], "some", &()).unwrap(), 2);
    for peer in [&mut b, &mut c] {
        assert_eq!(peer.receive().await, json!({"type": "some", "data": {}}));
    }
    assert_eq!(sockets.broadcast_where("others", 4, |client| client.id() != ids[0]).unwrap(), 2);
    assert_eq!(c.receive().await, json!({"type": "others", "data": 4}));
    let error = sockets.send("user_nobody", "x", 5).unwrap_err();
    assert_eq!(error.to_string(), "the client user_nobody is not connected");
    drop((a, b, c));
    service.stop().await.unwrap();
}

#[tokio::test]
async fn actions_and_listeners_reach_clients() {
    let service = serve("bus", WebSocket::new(), blueprint()).await;
    let mut peer = Peer::connect(&service).await;
    clients(&service, 1).await;
    let caller = service.callers().to("svc");
    let reached: usize = caller.send_request("shout", "hello").await.unwrap();
    assert_eq!(reached, 1);
    assert_eq!(peer.receive().await, json!({"type": "shout", "data": "hello"}));
    caller.send_message("news", &json!({"n": 1})).await.unwrap();
    assert_eq!(peer.receive().await, json!({"type": "news", "data": {"n": 1}}));
    drop(peer);
    service.stop().await.unwrap();
}

#[derive(Clone)]
struct Gate {
    entered: Arc<Notify>,
    open: Arc<Semaphore>,
}

async fn wait(State(gate): State<Gate>) -> Json<&'static str> {
    gate.entered.notify_one();
    let _permit = gate.open.acquire().await;
    Json("waited")
}

async fn turn(Payload(n): Payload<u64>) -> Json<u64> {
    // Earlier messages take longer.
    for _ in 0..(20 - n) {
        tokio::task::yield_now().await;
    }
    Json(n)
}

#[tokio::test]
async fn messages_of_a_client_are_handled_in_order_and_do_not_delay_others() {
    let gate = Gate { entered: Arc::new(Notify::new()), open: Arc::new(Semaphore::new(0)) };
    let blueprint = Blueprint::new("b").socket("wait", wait).socket("turn", turn);
    let service = app("order", WebSocket::new(), blueprint).state(gate.clone()).start().await.unwrap();
    let (mut slow, mut quick) = (Peer::connect(&service).await, Peer::connect(&service).await);
    slow.send(json!({"type": "wait"})).await;
    within(gate.entered.notified()).await;
    // More than the queue of the service holds: the rest waits in the connection.
    for n in 0..20 {
        slow.send(json!({"type": "turn", "data": n})).await;
    }
    slow.send_text("not JSON").await;
    for n in 0..20 {
        assert_eq!(quick.ask(json!({"type": "turn", "data": n})).await["data"], n);
    }
    let sockets = clients(&service, 2).await;
    assert_eq!(sockets.broadcast("tick", 1).unwrap(), 2);
    // A client receives pushed messages while its own message is still handled.
    for peer in [&mut slow, &mut quick] {
        assert_eq!(peer.receive().await, json!({"type": "tick", "data": 1}));
    }
    gate.open.add_permits(1);
    assert_eq!(slow.receive().await["data"], "waited");
    for n in 0..20 {
        assert_eq!(slow.receive().await["data"], n);
    }
    assert_eq!(slow.receive().await["error"], "Invalid JSON");
    drop((slow, quick));
    service.stop().await.unwrap();
}

async fn save(State(count): State<Arc<AtomicUsize>>) {
    tokio::task::yield_now().await;
    count.fetch_add(1, Ordering::SeqCst);
}

#[tokio::test]
async fn messages_that_a_client_sent_before_it_left_are_handled() {
    let count = Arc::new(AtomicUsize::new(0));
    let blueprint = Blueprint::new("b").socket("save", save);
    let service = app("saved", WebSocket::new(), blueprint).state(Arc::clone(&count)).start().await.unwrap();
    let mut peer = Peer::connect(&service).await;
    for _ in 0..10 {
        peer.send(json!({"type": "save"})).await;
    }
    peer.leave().await;
    eventually("all are saved", async || count.load(Ordering::SeqCst) == 10).await;
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broadcast_reaches_two_hundred_clients() {
    const CLIENTS: usize = 200;
    const MESSAGES: usize = 50;
    let service = serve("many", WebSocket::new(), blueprint()).await;
    let mut peers = Vec::new();
    for _ in 0..CLIENTS {
        peers.push(Peer::connect(&service).await);
    }
    let sockets = clients(&service, CLIENTS).await;
    let started = std::time::Instant::now();
    for n in 0..MESSAGES {
        assert_eq!(sockets.broadcast("tick", n).unwrap(), CLIENTS);
    }
    for peer in &mut peers {
        for n in 0..MESSAGES {
            assert_eq!(peer.receive().await, json!({"type": "tick", "data": n}));
        }
    }
    println!("{MESSAGES} messages to {CLIENTS} clients: {:?}", started.elapsed());
    assert_eq!(sockets.dropped(), 0);
    let leaving = peers.into_iter().map(|mut peer| async move {
        assert_eq!(peer.receive().await["type"], "server_shutdown");
        assert_eq!(peer.closed().await.0, 1001);
    });
    let left = timeout(Duration::from_secs(30), futures_util::future::join_all(leaving));
    let (stopped, left) = tokio::join!(service.stop(), left);
    stopped.unwrap();
    left.unwrap();
}
