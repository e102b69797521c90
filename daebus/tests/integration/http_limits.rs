//! The limits of HTTP, tested with slow and malicious clients.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::net::SocketAddr;
use std::time::Instant;

use daebus::axum::body::Bytes;
use daebus::prelude::*;
use daebus_tests_support::{eventually, within};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A limit that a test waits for.
const SHORT: Duration = Duration::from_millis(200);

#[route("/echo", methods = ["POST"])]
async fn echo(Payload(value): Payload<Value>) -> Json<Value> {
    Json(value)
}

#[route("/bytes", methods = ["POST"])]
async fn bytes(bytes: Bytes) -> String {
    bytes.len().to_string()
}

#[route("/large")]
async fn large() -> String {
    "x".repeat(32 * 1024 * 1024)
}

#[route("/hello")]
async fn hello() -> &'static str {
    "hello"
}

async fn start(name: &str, http: Http) -> (daebus::Service, SocketAddr) {
    let service = Daebus::new("limits")
        .bus(format!("memory://{name}"))
        .register(blueprint_of!["limits"; echo, bytes, large, hello])
        .attach(http)
        .start()
        .await
        .unwrap();
    let addr = service.http_addr().unwrap();
    (service, addr)
}

fn http() -> Http {
    Http::bind("127.0.0.1:0")
}

/// Connects and sends some bytes.
async fn connect(addr: SocketAddr, bytes: &str) -> TcpStream {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    stream
}

/// Reads until the connection ends, which must happen in time.
async fn rest(stream: &mut TcpStream) -> String {
    let mut rest = Vec::new();
    // A reset also ends the connection.
    let _ = within(stream.read_to_end(&mut rest)).await;
    String::from_utf8_lossy(&rest).into_owned()
}

/// Waits for an answer's first line.
async fn first_line(stream: &mut TcpStream) -> String {
    let mut line = String::new();
    while !line.ends_with("\r\n") {
        line.push(char::from(within(stream.read_u8()).await.unwrap()));
    }
    line.trim_end().to_owned()
}

#[tokio::test]
async fn a_client_that_sends_an_incomplete_head_is_disconnected() {
    let (service, addr) = start("limits-head", http().header_timeout(SHORT)).await;
    for beginning in [
        "",
        "P",
        "GET /hello HTTP/1.1\r\nHost: a\r\n",
        // Only the preface of HTTP/2.
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let began = Instant::now();
        let mut stream = connect(addr, beginning).await;
        rest(&mut stream).await;
        assert!(began.elapsed() >= SHORT, "{beginning:?}: disconnected immediately");
    }
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_client_that_sends_its_head_byte_by_byte_is_disconnected() {
    let (service, addr) = start("limits-drip", http().header_timeout(SHORT)).await;
    let mut stream = connect(addr, "GET /hello HTTP/1.1\r\n").await;
    let dripping = async {
        // Each byte arrives in time, but the head never ends.
        while stream.write_all(b"X").await.is_ok() {
            tokio::time::sleep(SHORT / 10).await;
        }
    };
    within(dripping).await;
    service.stop().await.unwrap();
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let (service, addr) = start("limits-idle", http().header_timeout(SHORT)).await;
    let mut stream = connect(addr, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(first_line(&mut stream).await, "HTTP/1.1 200 OK");
    assert!(rest(&mut stream).await.ends_with("hello"));
    service.stop().await.unwrap();
}

#[tokio::test]
async fn an_idle_connection_of_http_2_is_closed_although_it_answers_pings() {
    let (service, addr) = start("limits-idle-2", http().header_timeout(SHORT)).await;
    let mut stream = connect(addr, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
    let frames = async {
        let mut head = [0; 9];
        while stream.read_exact(&mut head).await.is_ok() {
            let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
            if stream.read_exact(&mut payload).await.is_err() {
                break;
            }
            if head[3] == 6 && head[4] == 0 {
                let answer = [[0, 0, 8, 6, 1, 0, 0, 0, 0].as_slice(), &payload].concat();
                let _ = stream.write_all(&answer).await;
            }
        }
    };
    within(frames).await;
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_connection_of_http_2_has_at_most_32_concurrent_requests() {
    let (service, addr) = start("limits-streams", http()).await;
    // The preface, and empty SETTINGS.
    let mut stream = connect(addr, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
    let mut head = [0; 9];
    within(stream.read_exact(&mut head)).await.unwrap();
    assert_eq!(head[3], 4, "the first frame is SETTINGS");
    let mut settings = vec![0; usize::from(head[2])];
    within(stream.read_exact(&mut settings)).await.unwrap();
    let streams = settings.chunks(6).find(|setting| setting[..2] == [0, 3]);
    assert_eq!(streams.map(|setting| setting[2..].to_vec()), Some(vec![0, 0, 0, 32]));
    drop(stream);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_disconnected() {
    let (service, addr) = start("limits-unread", http().header_timeout(SHORT).max_connections(1)).await;
    let _unread = connect(addr, "GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await;
    // The only place is free again once the other connection is closed.
    eventually("the place is free", async || {
        let mut stream = connect(addr, "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
        rest(&mut stream).await.ends_with("hello")
    })
    .await;
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_with_and_without_content_length() {
    let (service, addr) = start("limits-body", http().max_body(100)).await;
    let hundred = "x".repeat(100);
    for path in ["echo", "bytes"] {
        let kind = "Content-Type: application/json\r\nHost: a\r\n";
        let announced = format!("POST /{path} HTTP/1.1\r\n{kind}Content-Length: 101\r\n\r\n{hundred}x");
        let mut stream = connect(addr, &announced).await;
        let answer = rest(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
        assert!(answer.contains(r#""code":"too_large""#), "{answer}");

        let chunked = format!(
            "POST /{path} HTTP/1.1\r\n{kind}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n{hundred}\r\n1\r\nx\r\n0\r\n\r\n"
        );
        let mut stream = connect(addr, &chunked).await;
        let answer = rest(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
        assert!(answer.contains(r#""code":"too_large""#), "{answer}");
    }
    let exactly = format!(
        "POST /bytes HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 100\r\n\r\n{hundred}"
    );
    let mut stream = connect(addr, &exactly).await;
    assert!(rest(&mut stream).await.ends_with("\r\n\r\n100"));
    service.stop().await.unwrap();
}

#[tokio::test]
async fn the_application_can_raise_the_body_limit_above_that_of_axum() {
    let (service, addr) = start("limits-large", http().max_body(4 * 1024 * 1024)).await;
    let bytes = 3 * 1024 * 1024;
    let head =
        format!("POST /bytes HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {bytes}\r\n\r\n");
    let mut stream = connect(addr, &(head + &"x".repeat(bytes))).await;
    assert!(rest(&mut stream).await.ends_with(&bytes.to_string()));
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_body_that_takes_too_long_is_refused() {
    let (service, addr) = start("limits-slow-body", http().body_timeout(SHORT)).await;
    for path in ["echo", "bytes"] {
        let head = format!(
            "POST /{path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{"
        );
        let mut stream = connect(addr, &head).await;
        let answer = rest(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        assert!(answer.contains(r#""code":"body_timeout""#), "{answer}");
    }
    service.stop().await.unwrap();
}
