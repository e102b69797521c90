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

/// How long the service may take, by the clock of the test: a paused one is at this time as soon as nobody has
/// anything left to do.
const WITHIN: Duration = Duration::from_secs(10);

/// A WebSocket client of the application, made by [`TestApp::socket`](super::TestApp::socket). It speaks WebSocket with
/// the service as a browser would, over a pipe inside the process. Dropping it is a connection that breaks off;
/// [`leave`](Self::leave) is a proper end.
///
/// Like a browser it reads all the time and answers pings, so however much time a test lets go by, it is not found dead.
#[derive(Debug)]
pub struct TestSocket {
    outgoing: UnboundedSender<Message>,
    incoming: UnboundedReceiver<Heard>,
    closed: Option<(u16, String)>,
    connection: JoinHandle<()>,
}

#[derive(Debug)]
enum Heard {
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
                panic!("the service doesn't let a WebSocket in at {path}: {}\n{body}", response.status())
            }
            Err(error) => panic!("no WebSocket connection to {path}: {error}"),
        };
        let (outgoing, to_send) = unbounded_channel();
        let (heard, incoming) = unbounded_channel();
        let connection = tokio::spawn(run(stream, to_send, heard));
        Self { outgoing, incoming, closed: None, connection }
    }

    /// Sends a message of a type.
    ///
    /// # Panics
    ///
    /// When the data can't be written as JSON.
    #[track_caller]
    pub fn send(&mut self, kind: &str, data: impl Serialize) {
        match serde_json::to_value(data) {
            Ok(data) => self.send_text(&json!({"type": kind, "data": data}).to_string()),
            Err(error) => panic!("the data can't be written as JSON: {error}"),
        }
    }

    /// Sends a text as it is, one that is no frame for example.
    pub fn send_text(&mut self, text: &str) {
        // A connection that has ended takes nothing; what the service said last is still there to be read.
        let _ = self.outgoing.send(Message::text(text));
    }

    /// Sends a binary frame.
    pub fn send_binary(&mut self, content: impl Into<Bytes>) {
        // As with a text.
        let _ = self.outgoing.send(Message::binary(content.into()));
    }

    /// Returns the content of the next frame, which is a binary one.
    ///
    /// # Panics
    ///
    /// When no frame comes within 10 s, the connection is closed, or the frame is a text.
    pub async fn next_binary(&mut self) -> Bytes {
        match self.heard().await {
            Some(Heard::Binary(content)) => content,
            Some(Heard::Text(text)) => panic!("a binary frame was expected, and a text came: {text}"),
            Some(Heard::Closed(code, reason)) => {
                panic!("a frame was expected, and the connection was closed with {code} {reason:?}")
            }
            None => panic!("no frame came within {WITHIN:?}"),
        }
    }

    /// The next frame.
    ///
    /// # Panics
    ///
    /// When none comes, the connection is closed instead, or the frame is a binary one.
    pub async fn next(&mut self) -> SocketFrame {
        match self.heard().await {
            Some(Heard::Text(text)) => SocketFrame::read(&text),
            Some(Heard::Binary(content)) => panic!("{}", unexpected(&content)),
            Some(Heard::Closed(code, reason)) => {
                panic!("a frame was expected, and the connection was closed with {code} {reason:?}")
            }
            None => panic!("no frame came within {WITHIN:?}"),
        }
    }

    /// The next frame if it is there already; after [`TestApp::settle`](super::TestApp::settle), `None` says that none
    /// is coming.
    ///
    /// # Panics
    ///
    /// When the frame is a binary one.
    pub fn try_next(&mut self) -> Option<SocketFrame> {
        match self.incoming.try_recv().ok()? {
            Heard::Text(text) => Some(SocketFrame::read(&text)),
            Heard::Binary(content) => panic!("{}", unexpected(&content)),
            Heard::Closed(code, reason) => {
                self.closed = Some((code, reason));
                None
            }
        }
    }

    /// Sends a message of a type and returns the next frame.
    ///
    /// # Panics
    ///
    /// As [`send`](Self::send) and [`next`](Self::next).
    pub async fn ask(&mut self, kind: &str, data: impl Serialize) -> SocketFrame {
        self.send(kind, data);
        self.next().await
    }

    /// Waits for the service to close the connection, and returns the code and the reason: 1001 when it stops. 1006 says
    /// that it ended without a word.
    ///
    /// # Panics
    ///
    /// When the service doesn't, or sends another frame first.
    pub async fn closed(&mut self) -> (u16, String) {
        match self.heard().await {
            Some(Heard::Closed(code, reason)) => (code, reason),
            Some(Heard::Text(text)) => panic!("the connection isn't closed, there is a frame: {text}"),
            Some(Heard::Binary(content)) => panic!("the connection isn't closed: {}", unexpected(&content)),
            None => panic!("the connection isn't closed within {WITHIN:?}"),
        }
    }

    /// Closes the connection properly, and waits until it is closed. Frames that weren't read are gone.
    ///
    /// # Panics
    ///
    /// When the service doesn't answer the farewell.
    pub async fn leave(mut self) {
        let _ = self.outgoing.send(Message::Close(None));
        loop {
            match self.heard().await {
                Some(Heard::Closed(..)) => return,
                Some(Heard::Text(_) | Heard::Binary(_)) => {}
                None => panic!("the service doesn't close the connection within {WITHIN:?}"),
            }
        }
    }

    /// What comes next; an end comes again and again.
    async fn heard(&mut self) -> Option<Heard> {
        if self.closed.is_none() {
            match timeout(WITHIN, self.incoming.recv()).await {
                Ok(Some(Heard::Closed(code, reason))) => self.closed = Some((code, reason)),
                Ok(Some(frame)) => return Some(frame),
                Ok(None) => self.closed = Some((1006, String::new())),
                Err(_) => return None,
            }
        }
        self.closed.clone().map(|(code, reason)| Heard::Closed(code, reason))
    }
}

impl Drop for TestSocket {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// A frame that the service sent.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "look at the frame, or assert something about it"]
pub struct SocketFrame(Value);

impl SocketFrame {
    fn read(text: &str) -> Self {
        Self(serde_json::from_str(text).unwrap_or_else(|error| panic!("a frame is no JSON: {error}: {text}")))
    }

    /// Its `type`: `response`, `error`, or what the service calls it.
    pub fn kind(&self) -> &str {
        self.0["type"].as_str().unwrap_or_default()
    }

    /// Its `data`; `null` where it has none.
    pub fn data(&self) -> &Value {
        &self.0["data"]
    }

    /// All of it.
    pub fn json(&self) -> &Value {
        &self.0
    }

    /// Its `data`, read as `T`.
    ///
    /// # Panics
    ///
    /// When it is no `T`.
    #[track_caller]
    pub fn decode<T: DeserializeOwned>(&self) -> T {
        T::deserialize(self.data()).unwrap_or_else(|error| panic!("{} can't be read: {error}", self.0))
    }

    /// It is of this type, with this data.
    ///
    /// # Panics
    ///
    /// When it isn't.
    #[track_caller]
    pub fn assert(&self, kind: &str, data: impl Into<Value>) {
        let data = data.into();
        assert!(
            self.kind() == kind && *self.data() == data,
            "the frame is {}\nexpected was the type {kind:?} with {data}",
            self.0
        );
    }
}

fn unexpected(content: &Bytes) -> String {
    format!("a text was expected, and a binary frame of {} bytes came; next_binary() reads it", content.len())
}

/// Reads and writes until the connection's end.
async fn run(
    mut stream: WebSocketStream<DuplexStream>,
    mut to_send: UnboundedReceiver<Message>,
    heard: UnboundedSender<Heard>,
) {
    let mut end = (1006, String::new());
    loop {
        tokio::select! {
            Some(message) = to_send.recv() => {
                // What goes wrong here goes wrong with reading too.
                let _ = stream.send(message).await;
            }
            message = stream.next() => match message {
                Some(Ok(Message::Text(text))) => {
                    let _ = heard.send(Heard::Text(text.as_str().to_owned()));
                }
                Some(Ok(Message::Binary(content))) => {
                    let _ = heard.send(Heard::Binary(content));
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
    let _ = heard.send(Heard::Closed(end.0, end.1));
}
