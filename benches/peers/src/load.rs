//! Load on HTTP and WebSocket servers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use crate::work::{Echo, Result, Time, measure, serve_until_closed};

/// How long a connection may take to be served.
const PATIENCE: Duration = Duration::from_secs(10);

type Sender = SendRequest<Full<bytes::Bytes>>;

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Kind {
    Http,
    Socket,
}

/// Sends requests for so long, each connection one after the other, and prints their number.
pub async fn http(address: String, connections: usize, seconds: f64) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs_f64(seconds);
    let mut tasks = tokio::task::JoinSet::<Result<u64>>::new();
    for _ in 0..connections {
        let mut sender = connect(&address).await?;
        tasks.spawn(async move {
            let mut requests = 0;
            while Instant::now() < deadline {
                request(&mut sender, requests).await?;
                requests += 1;
            }
            Ok(requests)
        });
    }
    let mut requests = 0;
    while let Some(done) = tasks.join_next().await {
        requests += done??;
    }
    println!("requests {requests}");
    Ok(())
}

async fn connect(address: &str) -> Result<Sender> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn request(sender: &mut Sender, i: u64) -> Result<()> {
    sender.ready().await?;
    let request = Request::post("/echo")
        .header(header::HOST, "bench")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::from(serde_json::to_vec(&Echo { i })?))?;
    let body = sender.send_request(request).await?.into_body().collect().await?.to_bytes();
    serde_json::from_slice::<Echo>(&body)?.check(i)
}

#[derive(Deserialize)]
struct Answer<'a> {
    r#type: &'a str,
    data: Echo,
}

/// Keeps so many messages in flight on one connection, and prints the answers per second.
pub async fn socket(address: String, in_flight: u64, time: Time) -> Result<()> {
    let (socket, _) = connect_async(format!("ws://{address}/ws")).await?;
    let (mut sink, mut stream) = socket.split();
    let answers = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&answers);
    let echoes = async move {
        for i in 0..in_flight {
            sink.send(message(i)).await?;
        }
        for i in 0.. {
            let Message::Text(text) = stream.next().await.ok_or("the server has closed")?? else { continue };
            let answer: Answer<'_> = serde_json::from_str(&text)?;
            if answer.r#type != "response" {
                return Err(format!("an answer of type {}", answer.r#type).into());
            }
            // The answers arrive in the order of the messages.
            answer.data.check(i)?;
            counter.fetch_add(1, Ordering::Relaxed);
            sink.send(message(i + in_flight)).await?;
        }
        Result::<()>::Ok(())
    };
    tokio::select! {
        measured = measure(&answers, time) => measured?.print(),
        ended = tokio::spawn(echoes) => return ended?,
    }
    Ok(())
}

fn message(i: u64) -> Message {
    Message::text(format!(r#"{{"type":"echo","data":{{"i":{i}}}}}"#))
}

/// Opens connections, sends one request or message on each, and keeps them idle.
pub async fn hold(kind: Kind, address: String, count: usize) -> Result<()> {
    match kind {
        Kind::Http => {
            let mut held = Vec::new();
            for i in 0..count {
                let mut sender = connect(&address).await?;
                timeout(PATIENCE, request(&mut sender, i as u64)).await??;
                held.push(sender);
            }
            serve_until_closed(address).await
        }
        Kind::Socket => {
            let mut held = Vec::new();
            for i in 0..count {
                let (mut socket, _) = connect_async(format!("ws://{address}/ws")).await?;
                socket.send(message(i as u64)).await?;
                timeout(PATIENCE, socket.next()).await?.ok_or("the server has closed")??;
                held.push(socket);
            }
            serve_until_closed(address).await
        }
    }
}
