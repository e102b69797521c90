//! Limits of the memory and connections that a client can use: pongs, answers, frames, messages, places.

use std::sync::Arc;
use std::time::Duration;

use daebus::prelude::*;
use daebus::{Service, SocketError};
use daebus_tests_support::{eventually, within};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

use super::peer::{Peer, app, clients, serve};

#[derive(Clone)]
struct Gate(Arc<Semaphore>);

impl Gate {
    fn closed() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    fn open(&self) {
        self.0.add_permits(Semaphore::MAX_PERMITS / 2);
    }
}

async fn echo(Payload(value): Payload<Value>) -> Json<Value> {
    Json(value)
}

async fn work(State(gate): State<Gate>) -> Json<&'static str> {
    let _permit = gate.0.acquire().await;
    Json("done")
}

async fn export(Payload(rows): Payload<u64>, client: Client) -> Result<u64, BoxError> {
    for row in 0..rows {
        client.send_async("row", &json!({"row": row, "text": "x".repeat(16 * 1024)})).await?;
    }
    Ok(rows)
}

async fn large(Payload(bytes): Payload<usize>) -> Json<String> {
    Json("x".repeat(bytes))
}

fn blueprint() -> Blueprint {
    Blueprint::new("b").socket("echo", echo).socket("export", export).socket("large", large)
}

/// Waits until a count no longer grows.
async fn stalls(count: impl Fn() -> u64) -> u64 {
    let (mut last, mut since) = (count(), Instant::now());
    let stalled = async {
        while since.elapsed() < Duration::from_millis(300) {
            sleep(Duration::from_millis(10)).await;
            if count() != last {
                (last, since) = (count(), Instant::now());
            }
        }
        last
    };
    within(stalled).await
}

async fn only_client(service: &Service) -> Client {
    clients(service, 1).await.list().pop().unwrap()
}

#[tokio::test]
async fn a_client_that_pings_and_does_not_read_is_no_longer_read() {
    const LIMIT: usize = 64 * 1024 * 1024;
    let service = serve("pings", WebSocket::new(), blueprint()).await;
    let mut peer = Peer::connect(&service).await;
    // Masked pings of 125 bytes; the mask is zero.
    let mut ping = vec![0x89, 0xfd, 0, 0, 0, 0];
    ping.extend([b'x'; 125]);
    let pings = ping.repeat(512);
    let mut accepted = 0;
    while accepted < LIMIT {
        match timeout(Duration::from_secs(2), peer.0.get_mut().write_all(&pings)).await {
            Ok(Ok(())) => accepted += pings.len(),
            Ok(Err(_)) | Err(_) => break,
        }
    }
    assert!(
        accepted < LIMIT,
        "the service has read {accepted} bytes of pings although the client reads no pongs"
    );
    drop(peer);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn pings_count_against_the_rate_and_answers_to_pings_do_not() {
    let limits = WebSocket::new().rate_limit(3, Duration::from_secs(3600)).ping(Duration::from_millis(50));
    let service = serve("control", limits, blueprint()).await;
    let mut peer = Peer::connect(&service).await;
    let mut pings = 0;
    while pings < 5 {
        if let Message::Ping(_) = within(peer.0.next()).await.unwrap().unwrap() {
            pings += 1;
        }
    }
    for _ in 0..2 {
        peer.0.send(Message::Ping("mine".into())).await.unwrap();
    }
    assert_eq!(peer.ask(json!({"type": "echo", "data": 1})).await["data"], 1);
    peer.0.send(Message::Ping("mine".into())).await.unwrap();
    let refusal = json!({"type": "error", "error": "Rate limit exceeded", "retry_after": 3600});
    // The service sends pings continuously, so a limit per frame would never expire.
    assert_eq!(within(peer.receive()).await, refusal);
    drop(peer);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_client_that_sends_a_burst_and_reads_later_receives_every_answer() {
    const MESSAGES: u64 = 500;
    let service = serve("burst", WebSocket::new().queue(8), blueprint()).await;
    let peer = Peer::connect(&service).await;
    let client = only_client(&service).await;
    let (mut sink, stream) = peer.0.split();
    let mut frames = stream.filter(|frame| std::future::ready(!matches!(frame, Ok(Message::Ping(_)))));
    let sending = tokio::spawn(async move {
        let text = "x".repeat(64 * 1024);
        for n in 0..MESSAGES {
            let message = json!({"type": "echo", "data": {"n": n, "text": text}});
            sink.send(Message::text(message.to_string())).await.unwrap();
        }
        sink
    });
    let read = stalls(|| client.messages_in()).await;
    assert!(read < MESSAGES, "the service continues to read although the client reads no answers");
    for n in 0..MESSAGES {
        let answer: Value = match within(frames.next()).await.unwrap().unwrap() {
            Message::Text(text) => serde_json::from_str(&text).unwrap(),
            other => panic!("{other:?}"),
        };
        assert_eq!(answer["data"]["n"], n);
    }
    assert_eq!(client.dropped(), 0);
    drop((within(sending).await.unwrap(), frames));
    service.stop().await.unwrap();
}

#[tokio::test]
async fn send_async_waits_instead_of_dropping_frames() {
    const ROWS: u64 = 500;
    let service = serve("export", WebSocket::new().queue(4), blueprint()).await;
    let mut peer = Peer::connect(&service).await;
    let client = only_client(&service).await;
    peer.send(json!({"type": "export", "data": ROWS})).await;
    let sent = stalls(|| client.messages_out()).await;
    assert!(sent < ROWS, "nothing held the sender up");
    for row in 0..ROWS {
        assert_eq!(peer.receive().await["data"]["row"], row);
    }
    assert_eq!(peer.receive().await["data"], ROWS);
    assert_eq!(client.dropped(), 0);
    // The wait ends with the client.
    peer.send(json!({"type": "export", "data": ROWS})).await;
    drop(peer);
    clients(&service, 0).await;
    assert!(matches!(client.send_async(None, 1).await, Err(SocketError::NotConnected { .. })));
    service.stop().await.unwrap();
}

#[tokio::test]
async fn the_queue_of_a_client_is_bounded_in_bytes() {
    let limits = WebSocket::new().queue(1_000_000).queue_bytes(256 * 1024);
    let service = serve("bytes", limits, blueprint()).await;
    let mut peer = Peer::connect(&service).await;
    let client = only_client(&service).await;
    let text = "x".repeat(64 * 1024);
    let mut frames = 0;
    while client.dropped() == 0 {
        client.send("tick", &text).unwrap();
        frames += 1;
        assert!(frames < 10_000, "10,000 frames of 64 KiB are queued");
        tokio::task::yield_now().await;
    }
    let too_large = client.send("tick", "x".repeat(300 * 1024));
    assert!(matches!(too_large, Err(SocketError::TooLarge { .. })), "{too_large:?}");
    let reading = async { while peer.receive().await["type"] == "tick" {} };
    let asking = client.send_async("last", 1);
    let (asked, ()) = tokio::join!(asking, within(reading));
    asked.unwrap();
    let answer = peer.ask(json!({"type": "large", "data": 300 * 1024, "request_id": 1})).await;
    assert_eq!((&answer["data"]["code"], &answer["request_id"]), (&json!("internal"), &json!(1)));
    let long_id = "i".repeat(300 * 1024);
    let answer = peer.ask(json!({"type": "large", "data": 300 * 1024, "request_id": long_id})).await;
    assert_eq!((&answer["data"]["code"], &answer["request_id"]), (&json!("internal"), &Value::Null));
    assert_eq!(peer.ask(json!({"type": "large", "data": 10})).await["data"], "x".repeat(10));
    drop(peer);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn the_messages_that_wait_are_bounded_in_bytes() {
    let gate = Gate::closed();
    let blueprint = Blueprint::new("b").socket("work", work);
    let service =
        app("inbox", WebSocket::new().inbox_bytes(64 * 1024), blueprint).state(gate.clone()).start().await;
    let service = service.unwrap();
    let mut peer = Peer::connect(&service).await;
    let client = only_client(&service).await;
    let message = json!({"type": "work", "data": "x".repeat(32 * 1024)});
    for _ in 0..10 {
        peer.send(message.clone()).await;
    }
    // One message is handled, and two or three exceed 64 KiB.
    let read = stalls(|| client.messages_in()).await;
    assert!((3..=4).contains(&read), "{read}");
    gate.open();
    for _ in 0..10 {
        assert_eq!(peer.receive().await["data"], "done");
    }
    drop(peer);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_disconnected_client_frees_its_place_before_its_messages_are_handled() {
    for (name, messages) in [("place", 10), ("place-many", 400)] {
        let gate = Gate::closed();
        let blueprint = Blueprint::new("b").socket("work", work);
        let limits = WebSocket::new().max_connections(1);
        let service = app(name, limits, blueprint).state(gate.clone()).start().await.unwrap();
        let mut peer = Peer::connect(&service).await;
        let client = only_client(&service).await;
        for _ in 0..messages {
            peer.send(json!({"type": "work"})).await;
        }
        stalls(|| client.messages_in()).await;
        drop(peer);
        let mut next = None;
        let connected = async {
            while next.is_none() {
                next = Peer::try_connect(&service, "/ws", &[]).await.ok();
            }
        };
        within(Box::pin(connected)).await;
        assert!(!client.is_connected());
        assert_eq!(service.sockets().unwrap().count(), 1);
        gate.open();
        drop(next);
        service.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_broken_connection_frees_its_place_while_its_messages_are_handled() {
    // The second connection ends in the middle of a message.
    for (name, last, limits) in [
        ("place-large", 150, WebSocket::new().max_message(100)),
        ("place-broken", 1_000_000, WebSocket::new().max_message(100)),
        ("place-no-ping", 150, WebSocket::new().max_message(100).ping(None)),
        ("place-full", 50, WebSocket::new().inbox_bytes(10).ping(None)),
    ] {
        let gate = Gate::closed();
        let blueprint = Blueprint::new("b").socket("work", work);
        let service =
            app(name, limits.max_connections(1), blueprint).state(gate.clone()).start().await.unwrap();
        let mut peer = Peer::connect(&service).await;
        let client = only_client(&service).await;
        for _ in 0..3 {
            peer.send(json!({"type": "work"})).await;
        }
        stalls(|| client.messages_in()).await;
        // The service doesn't read the largest message completely.
        let _ = timeout(Duration::from_millis(500), peer.0.send(Message::text("x".repeat(last)))).await;
        stalls(|| client.messages_in()).await;
        drop(peer);
        let mut next = None;
        let connected = async {
            while next.is_none() {
                next = Peer::try_connect(&service, "/ws", &[]).await.ok();
            }
        };
        within(Box::pin(connected)).await;
        assert!(!client.is_connected(), "{name}");
        gate.open();
        drop(next);
        service.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_client_that_reads_slowly_and_steadily_stays_connected() {
    const BYTES: usize = 1_500_000;
    let limits = WebSocket::new().ping(Duration::from_millis(1500));
    let service = serve("steady", limits, blueprint()).await;
    let mut peer = Peer::connect(&service).await;
    let client = only_client(&service).await;
    client.send("large", "x".repeat(BYTES)).unwrap();
    let started = Instant::now();
    let (mut read, mut buffer) = (0, vec![0; 25_000]);
    while read < BYTES {
        let bytes = within(peer.0.get_mut().read(&mut buffer)).await.unwrap();
        assert!(bytes > 0, "disconnected after {:?} and {read} bytes", started.elapsed());
        read += bytes;
        // The client's pace.
        sleep(Duration::from_micros(bytes as u64 * 1_000_000 / 300_000)).await;
    }
    assert!(client.is_connected());
    assert!(started.elapsed() > Duration::from_secs(4), "{:?}", started.elapsed());
    drop(peer);
    service.stop().await.unwrap();
}

#[socket("blocking")]
fn blocking(State(gate): State<Gate>) -> Result<&'static str, BoxError> {
    daebus::block_on(async { gate.0.acquire().await.map(drop) })?;
    Ok("done")
}

#[tokio::test]
async fn messages_are_subject_to_the_limits_of_the_service() {
    for (name, kind) in [("async", "work"), ("thread", "blocking")] {
        let gate = Gate::closed();
        let blueprint = blueprint_of!["b"; blocking].socket("work", work);
        let app = app(name, WebSocket::new(), blueprint).state(gate.clone()).concurrency(1).backlog(1);
        let service = app.start().await.unwrap();
        let mut peers = Vec::new();
        for _ in 0..3 {
            peers.push(Peer::connect(&service).await);
        }
        let sockets = clients(&service, 3).await;
        for (sent, peer) in peers[..2].iter_mut().enumerate() {
            peer.send(json!({"type": kind})).await;
            eventually("the message is read", async || {
                sockets.list().iter().map(Client::messages_in).sum::<u64>() == sent as u64 + 1
            })
            .await;
        }
        let answer = peers[2].ask(json!({"type": kind, "request_id": 7})).await;
        assert_eq!(answer["data"]["code"], "overloaded", "{answer}");
        assert_eq!((&answer["request_id"], &answer["success"]), (&json!(7), &json!(false)));
        gate.open();
        for peer in &mut peers[..2] {
            assert_eq!(peer.receive().await["data"], "done");
        }
        assert_eq!(peers[2].ask(json!({"type": kind})).await["data"], "done");
        drop(peers);
        service.stop().await.unwrap();
    }
}
