//! A WebSocket client of the application, connected without a network.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::io::DuplexStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::http::Server;

/// The time limit for an answer, by the clock of the test. A paused clock advances to it as soon as all tasks are idle.
const WITHIN: Duration = Duration::from_secs(10);

/// A WebSocket client of the application, returned by [`TestApp::socket`](super::TestApp::socket).
///
/// It speaks the WebSocket protocol over a pipe in memory. Like a browser, it reads continuously and answers pings, so the
/// service doesn't time it out when a test advances the clock. [`leave`](Self::leave) closes the connection; dropping the
/// client breaks it off.
///
/// ```
/// use daebus::prelude::*;
/// use daebus::testing::TestApp;
///
/// #[socket("double")]
/// async fn double(Payload(number): Payload<u64>) -> Json<u64> {
///     Json(2 * number)
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let app = TestApp::new(
///     Daebus::new("math").register(blueprint_of!["math"; double]),
/// )
/// .await;
/// let mut socket = app.socket().await;
/// socket.ask("double", 21).await.assert("response", 42);
/// app.finish().await;
/// # }
/// ```
#[derive(Debug)]
pub struct TestSocket {
    outgoing: UnboundedSender<Message>,
    incoming: UnboundedReceiver<Received>,
    closed: Option<(u16, String)>,
    connection: JoinHandle<()>,
}

#[derive(Debug)]
enum Received {
    Text(String),
    Binary(Bytes),
    Closed(u16, String),
}

impl TestSocket {
    pub(super) async fn connect(server: &Server, path: &str) -> Self {
        let handshake = client_async(format!("ws://localhost{path}"), server.connect());
        let Ok(connected) = timeout(WITHIN, handshake).await else {
            panic!("no WebSocket connection to {path} within {WITHIN:?}");
        };
        let stream = match connected {
            Ok((stream, _)) => stream,
            Err(Error::Http(response)) => {
                let body = response.body().as_deref().unwrap_or_default();
                let body = String::from_utf8_lossy(body);
                panic!("the service refuses a WebSocket at {path}: {}\n{body}", response.status())
            }
            Err(error) => panic!("no WebSocket connection to {path}: {error}"),
        };
        let (outgoing, to_send) = unbounded_channel();
        let (received, incoming) = unbounded_channel();
        let connection = tokio::spawn(run(stream, to_send, received));
        Self { outgoing, incoming, closed: None, connection }
    }

    /// Sends a message of this type.
    ///
    /// # Panics
    ///
    /// Panics if the data can't be serialized as JSON.
    #[track_caller]
    pub fn send(&mut self, kind: &str, data: impl Serialize) {
        match serde_json::to_value(data) {
            Ok(data) => self.send_text(&json!({"type": kind, "data": data}).to_string()),
            Err(error) => panic!("the data can't be serialized as JSON: {error}"),
        }
    }

    /// Sends a text frame with any content, for example one that isn't a valid message.
    pub fn send_text(&mut self, text: &str) {
        // If the connection has ended, frames that were received before can still be read.
        let _ = self.outgoing.send(Message::text(text));
    }

    /// Sends a binary frame.
    pub fn send_binary(&mut self, content: impl Into<Bytes>) {
        // As in `send_text`.
        let _ = self.outgoing.send(Message::binary(content.into()));
    }

    /// Waits for the next frame, which must be binary, and returns its content.
    ///
    /// # Panics
    ///
    /// Panics if no frame arrives within 10 s, if the connection is closed, or if the frame is a text frame.
    pub async fn next_binary(&mut self) -> Bytes {
        match self.received().await {
            Some(Received::Binary(content)) => content,
            Some(Received::Text(text)) => panic!("expected a binary frame, received a text frame: {text}"),
            Some(Received::Closed(code, reason)) => {
                panic!("expected a frame, but the connection was closed with {code} {reason:?}")
            }
            None => panic!("no frame received within {WITHIN:?}"),
        }
    }

    /// Waits for the next frame, which must be a text frame.
    ///
    /// # Panics
    ///
    /// Panics if no frame arrives within 10 s, if the connection is closed, or if the frame is a binary frame.
    pub async fn next(&mut self) -> SocketFrame {
        match self.received().await {
            Some(Received::Text(text)) => SocketFrame::read(&text),
            Some(Received::Binary(content)) => panic!("{}", unexpected(&content)),
            Some(Received::Closed(code, reason)) => {
                panic!("expected a frame, but the connection was closed with {code} {reason:?}")
            }
            None => panic!("no frame received within {WITHIN:?}"),
        }
    }

    /// Returns the next frame if it has been received. `None` after [`TestApp::settle`](super::TestApp::settle) means that the
    /// service has sent none.
    ///
    /// # Panics
    ///
    /// Panics if the frame is a binary frame.
    pub fn try_next(&mut self) -> Option<SocketFrame> {
        match self.incoming.try_recv().ok()? {
            Received::Text(text) => Some(SocketFrame::read(&text)),
            Received::Binary(content) => panic!("{}", unexpected(&content)),
            Received::Closed(code, reason) => {
                self.closed = Some((code, reason));
                None
            }
        }
    }

    /// Sends a message of this type and returns the next frame.
    ///
    /// # Panics
    ///
    /// Panics as [`send`](Self::send) and [`next`](Self::next) do.
    pub async fn ask(&mut self, kind: &str, data: impl Serialize) -> SocketFrame {
        self.send(kind, data);
        self.next().await
    }

    /// Waits until the service closes the connection, and returns the code and the reason. The code is 1001 if the service
    /// stops, and 1006 if the connection ended without a close frame.
    ///
    /// # Panics
    ///
    /// Panics if the service doesn't close the connection within 10 s, or sends another frame first.
    pub async fn closed(&mut self) -> (u16, String) {
        match self.received().await {
            Some(Received::Closed(code, reason)) => (code, reason),
            Some(Received::Text(text)) => {
                panic!("expected the end of the connection, received a frame: {text}")
            }
            Some(Received::Binary(content)) => {
                panic!("the connection isn't closed: {}", unexpected(&content))
            }
            None => panic!("the connection wasn't closed within {WITHIN:?}"),
        }
    }

    /// Closes the connection with a close frame, and waits until it is closed. Unread frames are dropped.
    ///
    /// # Panics
    ///
    /// Panics if the service doesn't close the connection within 10 s.
    pub async fn leave(mut self) {
        let _ = self.outgoing.send(Message::Close(None));
        loop {
            match self.received().await {
                Some(Received::Closed(..)) => return,
                Some(Received::Text(_) | Received::Binary(_)) => {}
                None => panic!("the service didn't close the connection within {WITHIN:?}"),
            }
        }
    }

    /// Returns the next frame. The end of the connection is returned repeatedly.
    async fn received(&mut self) -> Option<Received> {
        if self.closed.is_none() {
            match timeout(WITHIN, self.incoming.recv()).await {
                Ok(Some(Received::Closed(code, reason))) => self.closed = Some((code, reason)),
                Ok(Some(frame)) => return Some(frame),
                Ok(None) => self.closed = Some((1006, String::new())),
                Err(_) => return None,
            }
        }
        self.closed.clone().map(|(code, reason)| Received::Closed(code, reason))
    }
}

impl Drop for TestSocket {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// A frame that the service sent.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "inspect the frame, or assert something about it"]
pub struct SocketFrame(Value);

impl SocketFrame {
    fn read(text: &str) -> Self {
        Self(serde_json::from_str(text).unwrap_or_else(|error| panic!("a frame isn't JSON: {error}: {text}")))
    }

    /// Returns the `type`: `response`, `error`, or the type of a pushed message.
    pub fn kind(&self) -> &str {
        self.0["type"].as_str().unwrap_or_default()
    }

    /// Returns the `data`, or `null` if there is none.
    pub fn data(&self) -> &Value {
        &self.0["data"]
    }

    /// Returns the whole frame.
    pub fn json(&self) -> &Value {
        &self.0
    }

    /// Deserializes the `data` as `T`.
    ///
    /// # Panics
    ///
    /// Panics if the data can't be deserialized as `T`.
    #[track_caller]
    pub fn decode<T: DeserializeOwned>(&self) -> T {
        T::deserialize(self.data())
            .unwrap_or_else(|error| panic!("can't deserialize the data of {}: {error}", self.0))
    }

    /// Asserts the type and the data.
    ///
    /// # Panics
    ///
    /// Panics if the assertion fails.
    #[track_caller]
    pub fn assert(&self, kind: &str, data: impl Into<Value>) {
        let data = data.into();
        assert!(
            self.kind() == kind && *self.data() == data,
            "the frame is {}\nexpected type {kind:?} with {data}",
            self.0
        );
    }
}

fn unexpected(content: &Bytes) -> String {
    format!("expected a text frame, received {} binary bytes; use next_binary() to read them", content.len())
}

/// Reads and writes frames until the end of the connection.
async fn run(
    mut stream: WebSocketStream<DuplexStream>,
    mut to_send: UnboundedReceiver<Message>,
    received: UnboundedSender<Received>,
) {
    let mut end = (1006, String::new());
    loop {
        tokio::select! {
            Some(message) = to_send.recv() => {
                // An error here is also an error of the next read.
                let _ = stream.send(message).await;
            }
            message = stream.next() => match message {
                Some(Ok(Message::Text(text))) => {
                    let _ = received.send(Received::Text(text.as_str().to_owned()));
                }
                Some(Ok(Message::Binary(content))) => {
                    let _ = received.send(Received::Binary(content));
                }
                Some(Ok(Message::Close(frame))) => {
                    end = frame.map_or((1005, String::new()), |frame| {
                        (frame.code.into(), frame.reason.as_str().to_owned())
                    });
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => break,
            }
        }
    }
    let _ = received.send(Received::Closed(end.0, end.1));
}
