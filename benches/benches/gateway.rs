//! 500 WebSocket clients on one channel of the gateway, with 50 messages per second, on a real Redis.
//!
//! `cargo bench -p daebus-benches --bench gateway` prints how many messages were received and how long they took, and the resident
//! memory of the service for each client. The clients are a process of their own. `--bench gateway -- 100 20` takes another
//! number of clients and of seconds.

#![allow(clippy::unwrap_used)] // a benchmark that can't run has no result

use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use daebus::prelude::{Caller, Daebus, Http, WebSocket};
use daebus::{Gateway, Sockets};
use daebus_tests::{Process, RedisServer};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

const CLIENTS: usize = 500;
const PER_SECOND: u32 = 50;
const SECONDS: u32 = 10;

/// The first argument of the process with the clients.
const ROLE: &str = "clients-of-gateway";

#[tokio::main(worker_threads = 2)]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [role, address, count, messages] = &arguments[..]
        && role == ROLE
    {
        receive(address, count.parse().unwrap(), messages.parse().unwrap()).await;
        return;
    }
    let mut numbers = arguments.iter().filter_map(|argument| argument.parse().ok());
    let clients = numbers.next().map_or(CLIENTS, |clients: u32| clients as usize);
    serve(clients, numbers.next().unwrap_or(SECONDS)).await;
}

/// Runs the service, and publishes.
async fn serve(clients: usize, seconds: u32) {
    let server = RedisServer::start();
    let gateway = Gateway::new().subscribe(["ticks"]);
    let service = Daebus::new("load")
        .bus(server.url())
        .attach(Http::bind("127.0.0.1:0").max_connections(clients + 10))
        .attach(WebSocket::new().max_connections(clients + 10).gateway(gateway));
    let service = service.start().await.unwrap();
    let caller = Caller::connect(&server.url(), "load").await.unwrap();
    let before = resident_kilobytes();
    let messages = seconds * PER_SECOND;
    let address = service.socket_addr().unwrap().to_string();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([ROLE, &address, &clients.to_string(), &messages.to_string()]);
    let process = Process::start(&mut command);
    let subscribed = tokio::task::spawn_blocking(move || {
        process.line("subscribed");
        process
    });
    let process = subscribed.await.unwrap();
    let connected = resident_kilobytes();
    let mut ticks = interval(Duration::from_secs(1) / PER_SECOND);
    for number in 0..messages {
        ticks.tick().await;
        let receivers = caller.send_message("ticks", json!({"number": number, "at": now()})).await.unwrap();
        assert_eq!(receivers, 1, "all clients share one subscription");
    }
    let outcome = tokio::task::spawn_blocking(move || process.line("received")).await.unwrap();
    println!("{clients} clients, {PER_SECOND} messages per second for {seconds} s: {outcome}");
    println!(
        "resident memory of the service: {} MB; for each client {} KB when connected and {} KB at the end; {} frames dropped",
        resident_kilobytes() / 1024,
        connected.saturating_sub(before) / clients as u64,
        resident_kilobytes().saturating_sub(before) / clients as u64,
        service.sockets().as_ref().map_or(0, Sockets::dropped),
    );
    caller.close().await;
    service.stop().await.unwrap();
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Connects the clients, and counts what they receive.
async fn receive(address: &str, count: usize, messages: usize) {
    let mut sockets: Vec<Socket> = Vec::new();
    for _ in 0..count {
        let (mut socket, _) = connect_async(format!("ws://{address}/ws")).await.unwrap();
        socket.send(Message::text(r#"{"type":"subscribe","channel":"ticks","request_id":1}"#)).await.unwrap();
        assert_eq!(frame(&mut socket).await["success"], true);
        sockets.push(socket);
    }
    println!("subscribed");
    let mut clients = JoinSet::new();
    for mut socket in sockets {
        clients.spawn(async move {
            let mut delays = Vec::with_capacity(messages);
            while delays.len() < messages {
                let Ok(frame) = timeout(Duration::from_secs(10), frame(&mut socket)).await else { break };
                assert_eq!(frame["data"]["number"], delays.len(), "in order, and none is missing");
                delays.push(now().saturating_sub(frame["data"]["at"].as_u64().unwrap()));
            }
            delays
        });
    }
    let mut delays = clients.join_all().await.concat();
    delays.sort_unstable();
    let at = |percent: usize| {
        let micros = delays.get((delays.len() * percent / 100).min(delays.len().saturating_sub(1)));
        Duration::from_micros(micros.copied().unwrap_or_default())
    };
    let (received, expected) = (delays.len(), count * messages);
    println!("received {received} of {expected}; p50 {:?}, p99 {:?}, longest {:?}", at(50), at(99), at(100));
}

async fn frame(socket: &mut Socket) -> Value {
    loop {
        let message = socket.next().await.unwrap().unwrap();
        if let Message::Text(text) = message {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

/// Returns the time in microseconds, by a clock that two processes share.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// Returns this process's resident memory; 0 on a system without `/proc`.
fn resident_kilobytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next());
    resident.and_then(|kilobytes| kilobytes.parse().ok()).unwrap_or_default()
}
