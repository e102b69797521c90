//! One client's session: it comes, its messages are handled in order, it goes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::{BoxFuture, OptionFuture};
use futures_util::stream::SplitStream;
use governor::DefaultDirectRateLimiter;
use tokio_tungstenite::tungstenite::Error as WsError;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tracing::debug;

use super::client::Client;
use super::frame::{self, Frame, UnreadableFrame};
use super::heartbeat::{Heartbeat, Verdict};
use super::messages::{Done, MessageHandlers};
use super::outgoing::{CLOSE_WITHIN, Close, Outgoing};
use super::server::{ConnectionSlot, SocketServer};

/// How many messages of one client wait while one is handled; with more, its connection isn't read.
const INBOX: usize = 16;

/// How long a connection is kept whose client sends what isn't read any more, so that it finds the close frame before
/// its connection is reset.
const LINGER: Duration = Duration::from_secs(1);

/// One client's session.
pub(super) struct Session {
    pub(super) server: Arc<SocketServer>,
    pub(super) client: Client,
    pub(super) limiter: Option<DefaultDirectRateLimiter>,
    pub(super) slot: ConnectionSlot,
}

/// A message that waits for its turn.
enum Inbound {
    Message(Bytes),
    /// One too many. It waits too, so that the answers come in the order of the messages.
    Limited(Bytes),
}

/// How a session ends, the client being there or not.
enum End {
    /// The client has gone.
    Gone,
    /// We close.
    Close(Close),
    /// We close, and the client is still sending what can't be read.
    Broken(Close),
}

impl Session {
    pub(super) async fn run(self, socket: WebSocket) {
        let (sink, mut stream) = socket.split();
        let outgoing = Arc::clone(self.client.outgoing());
        // Not among the service's workers: cut off with the session, it still gets to write the close frame.
        let writer = tokio::spawn(Arc::clone(&outgoing).write(sink, self.client.shared_id()));
        let _cut_off = CutOff(&outgoing);
        let leave = Leave(&self);
        let mut joined = false;
        let end = self.serve(&mut stream, &mut joined).await;
        drop(leave);
        let linger = matches!(end, End::Broken(_));
        match end {
            End::Gone => outgoing.end(),
            End::Close(close) | End::Broken(close) => {
                outgoing.close(close);
            }
        }
        let farewell = async {
            // The writer has bounds of its own, and what can't be joined has nothing more to write.
            if writer.await.unwrap_or_default() {
                let closed = async { while let Some(Ok(_)) = stream.next().await {} };
                let _ = tokio::time::timeout(CLOSE_WITHIN, closed).await;
            }
            if linger {
                tokio::time::sleep(LINGER).await;
            }
        };
        let disconnected = async {
            if joined {
                self.handlers().disconnected().await;
            }
        };
        tokio::join!(farewell, disconnected);
        debug!(client = self.client.id(), "a WebSocket client has gone");
        drop(self.slot);
    }

    /// Takes messages in and has them handled, one after the other, until an end comes in sight and what was taken in
    /// by then is handled.
    async fn serve(&self, stream: &mut SplitStream<WebSocket>, joined: &mut bool) -> End {
        let outgoing = self.client.outgoing();
        let mut heartbeat = Heartbeat::new(&self.server.settings);
        let mut inbox: VecDeque<Inbound> = VecDeque::new();
        let mut running = self.handlers().connected();
        if running.is_none() {
            self.join(joined);
        }
        let mut end: Option<End> = None;
        loop {
            if running.is_none() {
                match (inbox.pop_front(), &end) {
                    (Some(inbound), _) => running = Some(self.handle(inbound)),
                    (None, Some(_)) => break,
                    (None, None) => {}
                }
            }
            let hearing = end.is_none() && inbox.len() < INBOX;
            tokio::select! {
                message = stream.next(), if hearing => {
                    heartbeat.heard();
                    end = self.take(message, &mut inbox);
                }
                Some(done) = OptionFuture::from(running.as_mut()) => {
                    running = None;
                    match done {
                        Done::Answer(answer) => self.answer(answer),
                        Done::Joined(welcome) => {
                            self.answer(welcome);
                            self.join(joined);
                        }
                        Done::TurnedAway(reason) => {
                            inbox.clear();
                            end = Some(End::Close(Close::new(1008, &reason)));
                        }
                    }
                }
                () = outgoing.closing().cancelled(), if end.is_none() => {
                    // What the service has closed it doesn't listen to any more.
                    inbox.clear();
                    end = Some(End::Close(Close::new(1000, "")));
                }
                () = outgoing.ended().cancelled(), if end.is_none() => end = Some(End::Gone),
                () = self.server.closing.cancelled(), if end.is_none() => {
                    self.client.push(self.server.settings.shutdown_frame());
                    end = Some(End::Close(Close::new(1001, &self.server.settings.shutdown_message)));
                }
                () = heartbeat.due(), if end.is_none() => {
                    match heartbeat.judge(hearing, running.is_some(), &self.client) {
                        Verdict::Ping => outgoing.ping(),
                        Verdict::Wait => {}
                        Verdict::Close(close) => end = Some(End::Close(close)),
                    }
                }
            }
            if matches!(end, Some(End::Gone)) {
                outgoing.end();
            }
        }
        end.unwrap_or(End::Gone)
    }

    /// Takes in what the connection gave. An end comes in sight when that is one.
    fn take(
        &self,
        message: Option<Result<Message, axum::Error>>,
        inbox: &mut VecDeque<Inbound>,
    ) -> Option<End> {
        let bytes: Bytes = match message {
            // The connection says once more that it ends, when the closing handshake is done.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Close(_))) => return None,
            Some(Ok(Message::Text(text))) => text.into(),
            Some(Ok(Message::Binary(bytes))) => bytes,
            Some(Err(error)) => return Some(self.broken(error)),
            None => return Some(End::Gone),
        };
        self.client.received();
        let limit = self.server.settings.message_bytes;
        if bytes.len() > limit {
            return Some(End::Close(too_large(limit)));
        }
        let too_many = self.limiter.as_ref().is_some_and(|limiter| limiter.check().is_err());
        inbox.push_back(if too_many { Inbound::Limited(bytes) } else { Inbound::Message(bytes) });
        None
    }

    fn broken(&self, error: axum::Error) -> End {
        debug!(client = self.client.id(), %error, "a WebSocket client breaks off");
        let error = error.into_inner();
        match error.downcast_ref::<WsError>() {
            Some(WsError::Capacity(_)) => End::Broken(too_large(self.server.settings.message_bytes)),
            Some(WsError::Utf8(_)) => End::Broken(Close::new(1007, "a text message isn't UTF-8")),
            // Before a reset is called so, it is a protocol error without a closing handshake: nobody is there.
            Some(WsError::Protocol(error))
                if !matches!(error, ProtocolError::ResetWithoutClosingHandshake) =>
            {
                End::Broken(Close::new(1002, &error.to_string()))
            }
            _ => End::Gone,
        }
    }

    fn handle(&self, inbound: Inbound) -> BoxFuture<'static, Done> {
        let answer = match inbound {
            Inbound::Message(message) => match Frame::read(&message) {
                Ok(frame) => return self.handlers().message(&message, frame),
                Err(why) => frame::unreadable(&why),
            },
            Inbound::Limited(message) => {
                let request_id = match Frame::read(&message) {
                    Ok(Frame { request_id, .. }) | Err(UnreadableFrame::NoType { request_id }) => request_id,
                    Err(UnreadableFrame::NotJson) => None,
                };
                frame::rate_limited(self.server.settings.window(), request_id.as_ref())
            }
        };
        Box::pin(std::future::ready(Done::Answer(Some(answer))))
    }

    fn answer(&self, answer: Option<Utf8Bytes>) {
        if let Some(frame) = answer {
            // A client that is gone needs no answer.
            self.client.push(frame);
        }
    }

    /// The client is let in. One that had the same id makes room: most likely it is the same client, back before its
    /// old connection was found to be dead.
    fn join(&self, joined: &mut bool) {
        *joined = true;
        if let Some(before) = self.server.sockets.insert(&self.client) {
            before.disconnect(1008, "another connection has taken this client's id");
        }
    }

    fn handlers(&self) -> MessageHandlers<'_> {
        MessageHandlers { server: &self.server, client: &self.client }
    }
}

/// Strikes the client off, also where the session is cut off.
struct Leave<'a>(&'a Session);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.server.sockets.remove(&self.0.client);
    }
}

/// Has the close frame written where the session is cut off; otherwise one is on its way already.
struct CutOff<'a>(&'a Outgoing);

impl Drop for CutOff<'_> {
    fn drop(&mut self) {
        self.0.close(Close::new(1001, "the service has stopped"));
    }
}

fn too_large(limit: usize) -> Close {
    Close::new(1009, &format!("messages have at most {limit} bytes here"))
}
