//! A WebSocket client, and a service to which it connects.

use std::time::Duration;

use daebus::prelude::*;
use daebus::{Service, Sockets};
use daebus_tests_support::{eventually, within};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// Longer than any operation of these tests.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// Starts a service with WebSockets on a bus of its own. `name` is that of the test.
pub(crate) async fn serve(name: &str, web_socket: WebSocket, blueprint: Blueprint) -> Service {
    app(name, web_socket, blueprint).start().await.unwrap()
}

pub(crate) fn app(name: &str, web_socket: WebSocket, blueprint: Blueprint) -> Daebus {
    Daebus::new("svc")
        .bus(format!("memory://socket-{name}"))
        .register(blueprint)
        .attach(Http::bind("127.0.0.1:0"))
        .attach(web_socket)
}

pub(crate) async fn clients(service: &Service, count: usize) -> Sockets {
    let sockets = service.sockets().unwrap();
    eventually("the clients are there", async || sockets.count() == count).await;
    sockets
}

/// A WebSocket client.
pub(crate) struct Peer(pub(crate) WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Peer {
    pub(crate) async fn connect(service: &Service) -> Self {
        Self::connect_to(service, "/ws").await
    }

    pub(crate) async fn connect_to(service: &Service, path: &str) -> Self {
        Self::try_connect(service, path, &[]).await.unwrap()
    }

    /// Connects, or returns the HTTP status and the body of the refusal.
    pub(crate) async fn try_connect(
        service: &Service,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, (u16, Value)> {
        let url = format!("ws://{}{path}", service.socket_addr().unwrap());
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        match within(connect_async(request)).await {
            Ok((stream, _)) => Ok(Self(stream)),
            Err(Error::Http(response)) => {
                let body = response.body().as_deref().unwrap_or_default();
                Err((response.status().as_u16(), serde_json::from_slice(body).unwrap_or_default()))
            }
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) async fn send(&mut self, message: Value) {
        self.send_text(&message.to_string()).await;
    }

    pub(crate) async fn send_text(&mut self, message: &str) {
        self.0.send(Message::text(message)).await.unwrap();
    }

    /// Returns the next frame.
    pub(crate) async fn receive(&mut self) -> Value {
        match self.next().await {
            Message::Text(text) => serde_json::from_str(&text).unwrap(),
            other => panic!("expected a frame, received {other:?}"),
        }
    }

    pub(crate) async fn ask(&mut self, message: Value) -> Value {
        self.send(message).await;
        self.receive().await
    }

    /// Waits for the close frame, which must be the next one, and returns its code and reason.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        match self.next().await {
            Message::Close(Some(frame)) => {
                // Reading the stream to its end completes the closing handshake.
                while let Ok(Some(Ok(_))) = timeout(SOON, self.0.next()).await {}
                (frame.code.into(), frame.reason.to_string())
            }
            other => panic!("expected a close frame, received {other:?}"),
        }
    }

    /// Closes the connection with a close frame.
    pub(crate) async fn leave(mut self) {
        self.0.close(None).await.unwrap();
        while let Ok(Some(Ok(_))) = timeout(SOON, self.0.next()).await {}
    }

    async fn next(&mut self) -> Message {
        loop {
            let message = within(self.0.next()).await;
            match message.expect("a message before the end").unwrap() {
                Message::Ping(_) | Message::Pong(_) => {}
                message => return message,
            }
        }
    }
}
