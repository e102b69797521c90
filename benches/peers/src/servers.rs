//! HTTP and WebSocket servers: Daebus, and axum with the same timers and limits.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::{any, post};
use axum::{Json, Router};
use clap::ValueEnum;
use daebus::{Daebus, Http, Payload, blueprint_of, route, socket};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval};
use tower::ServiceExt as _;
use tower_http::timeout::{RequestBodyTimeoutLayer, TimeoutLayer};

use crate::work::{BoxError, Echo, Result, serve_until_closed};

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Server {
    Daebus,
    Axum,
}

/// More than the idle clients that the harness connects.
const CONNECTIONS: usize = 2000;

/// Serves `POST /echo` and WebSockets at `/ws`; prints `ready` with the address.
pub async fn run(server: Server) -> Result<()> {
    // Both servers write the log to the standard error, at the level `info` unless the environment differs.
    daebus::logging::init();
    match server {
        Server::Daebus => {
            let service = Daebus::new("bench")
                .bus("memory://bench")
                .register(blueprint_of!["bench"; echo, echo_message])
                .attach(Http::bind("127.0.0.1:0").max_connections(CONNECTIONS))
                .attach(daebus::WebSocket::new().max_connections(CONNECTIONS))
                .start()
                .await?;
            serve_until_closed(service.http_addr().ok_or("no address")?).await
        }
        Server::Axum => {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let address = listener.local_addr()?;
            tokio::spawn(accept(listener));
            serve_until_closed(address).await
        }
    }
}

/// Echoes a request over HTTP.
#[route("/echo", methods = ["POST"])]
async fn echo(Payload(echo): Payload<Echo>) -> daebus::Json<Echo> {
    daebus::Json(echo)
}

/// Echoes a message.
#[socket("echo")]
async fn echo_message(Payload(echo): Payload<Echo>) -> daebus::Json<Echo> {
    daebus::Json(echo)
}

/// What Daebus's server does with a connection, on axum: the limit on connections and hyper's timers.
async fn accept(listener: TcpListener) -> Result<Infallible> {
    let router = Router::new()
        .route("/echo", post(async |Json(echo): Json<Echo>| Json(echo)))
        .route("/ws", any(upgrade))
        // axum limits the body to 2 MiB by default, as Daebus does.
        .layer(RequestBodyTimeoutLayer::new(Duration::from_secs(30)))
        .layer(TimeoutLayer::with_status_code(hyper::StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(300)));
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(30));
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(Duration::from_secs(30));
    let (builder, places) = (Arc::new(builder), Arc::new(Semaphore::new(CONNECTIONS)));
    loop {
        let place = Arc::clone(&places).acquire_owned().await?;
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (builder, router) = (Arc::clone(&builder), router.clone());
        tokio::spawn(async move {
            let service =
                service_fn(move |request: hyper::Request<Incoming>| router.clone().oneshot(request));
            let _ = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
            drop(place);
        });
    }
}

async fn upgrade(upgrade: WebSocketUpgrade) -> Response {
    const BUFFER: usize = 8 * 1024;
    upgrade.read_buffer_size(BUFFER).write_buffer_size(BUFFER).max_message_size(1024 * 1024).on_upgrade(
        async |socket| {
            // A client that has left is no failure.
            let _ = session(socket).await;
        },
    )
}

#[derive(Deserialize)]
struct Frame<'a> {
    r#type: &'a str,
    data: Echo,
}

#[derive(Serialize)]
struct Answer {
    r#type: &'static str,
    data: Echo,
}

async fn session(mut socket: WebSocket) -> Result<()> {
    let mut ping = interval(Duration::from_secs(20));
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ping.tick().await;
    loop {
        let message = tokio::select! {
            message = socket.recv() => message,
            _ = ping.tick() => {
                socket.send(Message::Ping(bytes::Bytes::new())).await?;
                continue;
            }
        };
        match message {
            Some(Ok(Message::Text(text))) => {
                let frame: Frame<'_> = serde_json::from_str(&text)?;
                if frame.r#type != "echo" {
                    return Err(BoxError::from("an unknown type"));
                }
                let answer = serde_json::to_string(&Answer { r#type: "response", data: frame.data })?;
                socket.send(Message::text(answer)).await?;
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(error.into()),
            None => return Ok(()),
        }
    }
}
