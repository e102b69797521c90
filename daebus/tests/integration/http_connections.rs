//! Connections beyond the limits, slow readers, and the end of connections, over TCP.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;

use daebus::axum::body::Body;
use daebus::prelude::*;
use daebus_tests_support::{eventually, within};
use futures_util::stream;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

/// More than all buffers between a service and its client.
const LARGE: usize = 32 * 1024 * 1024;

#[route("/hello")]
async fn hello() -> &'static str {
    "hello"
}

#[route("/large")]
async fn large() -> String {
    "x".repeat(LARGE)
}

#[route("/large_stream")]
async fn large_stream() -> Body {
    let piece = "x".repeat(LARGE / 1024);
    Body::from_stream(stream::iter((0..1024).map(move |_| Ok::<_, std::io::Error>(piece.clone()))))
}

#[socket("echo")]
async fn echo(Payload(value): Payload<Value>) -> Value {
    value
}

async fn start(name: &str, http: Http) -> (daebus::Service, SocketAddr) {
    let app = Daebus::new("svc").bus(format!("memory://{name}"));
    let app = app.register(blueprint_of!["b"; hello, large, large_stream, echo]);
    let service = app.attach(http).attach(WebSocket::new()).start().await.unwrap();
    let addr = service.http_addr().unwrap();
    (service, addr)
}

fn http() -> Http {
    Http::bind("127.0.0.1:0")
}

fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
}

async fn connect(addr: SocketAddr, bytes: &str) -> TcpStream {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    stream
}

/// Reads until the connection ends.
async fn rest(stream: &mut TcpStream) -> String {
    let mut rest = Vec::new();
    let _ = within(stream.read_to_end(&mut rest)).await;
    String::from_utf8_lossy(&rest).into_owned()
}

/// Reads until the answer ends with these words.
async fn until(stream: &mut TcpStream, end: &str) -> String {
    let mut answer = String::new();
    while !answer.ends_with(end) {
        answer.push(char::from(within(stream.read_u8()).await.unwrap()));
    }
    answer
}

/// Requests a path with a small receive window, so that the service must wait for the client.
async fn slow_client(addr: SocketAddr, path: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    let mut stream = socket.connect(addr).await.unwrap();
    stream
        .write_all(request(path).replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").as_bytes())
        .await
        .unwrap();
    stream
}

/// Reads to the end, at least this long. Returns the number of bytes.
async fn read_slowly(stream: &mut TcpStream, time: Duration) -> usize {
    const PIECES: u32 = 100;
    let mut buffer = vec![0; LARGE / PIECES as usize];
    let (mut bytes, mut piece) = (0, 0);
    loop {
        match within(stream.read(&mut buffer[piece..])).await {
            Ok(0) | Err(_) => return bytes,
            Ok(read) => (bytes, piece) = (bytes + read, piece + read),
        }
        if piece == buffer.len() {
            piece = 0;
            sleep(time / PIECES).await;
        }
    }
}

#[tokio::test]
async fn a_client_that_reads_slowly_gets_the_whole_response() {
    let (service, addr) = start("connections-slow", http().header_timeout(Duration::from_millis(300))).await;
    for path in ["/large", "/large_stream"] {
        let mut client = slow_client(addr, path).await;
        let bytes = read_slowly(&mut client, Duration::from_secs(2)).await;
        assert!(bytes > LARGE, "{path}: {bytes}");
    }
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_drain_waits_for_a_client_that_reads() {
    let (service, addr) = start("connections-drain", http()).await;
    let mut clients = [slow_client(addr, "/large").await, slow_client(addr, "/large_stream").await];
    for client in &mut clients {
        within(client.readable()).await.unwrap();
    }
    let stopping = tokio::spawn(service.stop());
    let [large, stream] = &mut clients;
    // Longer than the drain waits for a stream without an end.
    let time = Duration::from_secs(7);
    let (large, stream) = tokio::join!(read_slowly(large, time), read_slowly(stream, time));
    assert!(large > LARGE && stream > LARGE, "{large} {stream}");
    within(stopping).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_drain_that_cuts_a_response_off_names_it() {
    let app = Daebus::new("svc").bus("memory://connections-cut").register(blueprint_of!["b"; large]);
    let service = app.attach(http()).drain(Duration::from_secs(1)).start().await.unwrap();
    let client = slow_client(service.http_addr().unwrap(), "/large").await;
    within(client.readable()).await.unwrap();
    let error = within(service.stop()).await.unwrap_err().to_string();
    assert!(error.contains("1× response that an HTTP client is reading"), "{error}");
}

#[tokio::test]
async fn a_request_on_an_open_connection_is_answered_just_after_the_drain_begins() {
    let (service, addr) = start("connections-last", http()).await;
    let mut client = connect(addr, &request("/hello")).await;
    assert!(until(&mut client, "hello").await.starts_with("HTTP/1.1 200"));
    let stopping = tokio::spawn(service.stop());
    eventually("the listener is closed", async || TcpStream::connect(addr).await.is_err()).await;
    assert!(timeout(Duration::from_millis(50), client.peek(&mut [0])).await.is_err(), "closed immediately");
    client.write_all(request("/hello").as_bytes()).await.unwrap();
    let answer = rest(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("hello"), "{answer:?}");
    assert!(answer.contains("connection: close"), "{answer}");
    within(stopping).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_request_on_a_connection_that_is_not_accepted_yet_is_answered() {
    let (service, addr) = start("connections-queued", http()).await;
    // Without an await the service can't accept them before it stops.
    let clients: Vec<_> = (0..3)
        .map(|_| {
            let mut client = std::net::TcpStream::connect(addr).unwrap();
            client.write_all(request("/hello").as_bytes()).unwrap();
            client
        })
        .collect();
    within(service.stop()).await.unwrap();
    for mut client in clients {
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("hello"), "{answer:?}");
    }
}

#[tokio::test]
async fn beyond_the_limit_of_connections_only_health_probes_are_answered() {
    let limited = http().max_connections(2).prefix("/svc");
    let (service, addr) = start("connections-limit", limited).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut client = connect(addr, &request("/svc/hello")).await;
        until(&mut client, "hello").await;
        held.push(client);
    }
    for path in ["/svc/hello", "/svc/nowhere", "/_service/status", "/svc/_services", "/"] {
        let answer = rest(&mut connect(addr, &request(path)).await).await;
        assert!(answer.starts_with("HTTP/1.1 503"), "{path}: {answer}");
        assert!(
            answer.contains("connection: close") && answer.contains(r#""code":"overloaded""#),
            "{answer}"
        );
    }
    for path in ["/svc/_service/status", "/svc/_service/ready"] {
        let answer = rest(&mut connect(addr, &request(path)).await).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"), "{answer}");
    }
    let http_2 = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let refused = http_2.get(format!("http://{addr}/svc/hello")).send().await.unwrap();
    assert_eq!(refused.status(), 503);
    held.pop();
    eventually("a place is free", async || {
        let close = request("/svc/hello").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
        rest(&mut connect(addr, &close).await).await.starts_with("HTTP/1.1 200")
    })
    .await;
    service.stop().await.unwrap();
}

#[tokio::test]
async fn connections_of_one_address_are_limited() {
    let (service, addr) = start("connections-address", http().max_connections_per_address(2)).await;
    let ws = format!("ws://{addr}/ws");
    let (socket, _) = tokio_tungstenite::connect_async(&ws).await.unwrap();
    let mut second = connect(addr, &request("/hello")).await;
    until(&mut second, "hello").await;
    let mut third = TcpStream::connect(addr).await.unwrap();
    let _ = third.write_all(request("/hello").as_bytes()).await;
    assert_eq!(rest(&mut third).await, "");
    // Connections of another address are counted separately.
    let other = TcpSocket::new_v4().unwrap();
    other.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut other = other.connect(addr).await.unwrap();
    other.write_all(request("/hello").as_bytes()).await.unwrap();
    until(&mut other, "hello").await;
    drop(socket);
    eventually("the place of the socket is free", async || {
        let mut client = TcpStream::connect(addr).await.unwrap();
        let _ = client
            .write_all(request("/hello").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").as_bytes())
            .await;
        rest(&mut client).await.ends_with("hello")
    })
    .await;
    service.stop().await.unwrap();
}
