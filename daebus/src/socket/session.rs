//! One client's session: its messages are read, and handled in order.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::{BoxFuture, OptionFuture};
use futures_util::stream::SplitStream;
use governor::DefaultDirectRateLimiter;
use tokio_tungstenite::tungstenite::Error as WsError;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tracing::debug;

use super::client::Client;
use super::close::{CLOSE_WITHIN, Close};
use super::frame::{self, ClientMessage};
use super::heartbeat::{Heartbeat, Verdict};
use super::inbox::{Inbound, Inbox};
use super::messages::{Done, MessageHandlers};
use super::outgoing::Outgoing;
use super::server::{ConnectionSlot, SocketServer};
use super::writer::{self, Writer};
use crate::runtime::BytesWritten;

/// How long a connection is kept whose client sends what isn't read any more, so that it finds the close frame before
/// its connection is reset.
const LINGER: Duration = Duration::from_secs(1);

/// How many messages are read and handled until everything else that a session waits for is checked.
const BURST: u32 = 64;

/// One client's session.
pub(super) struct Session {
    pub(super) server: Arc<SocketServer>,
    pub(super) client: Client,
    pub(super) limiter: Option<DefaultDirectRateLimiter>,
    pub(super) written: BytesWritten,
}

/// How a session ends.
enum End {
    /// The client has gone.
    Gone,
    /// The service closes.
    Close(Close),
    /// The service closes, and the client is still sending what can't be read.
    Broken(Close),
}

/// What a session holds while its connection is open.
struct Connection {
    /// `None` once the client has gone.
    stream: Option<SplitStream<WebSocket>>,
    writer: Writer,
    slot: ConnectionSlot,
    joined: bool,
    /// Pings of ours that are not answered yet; their pongs don't count against the client's rate.
    pings: u32,
}

/// Returns the next message of a client, and `None` once it has gone.
async fn next(stream: &mut Option<SplitStream<WebSocket>>) -> Option<Result<Message, axum::Error>> {
    stream.as_mut()?.next().await
}

impl Session {
    pub(super) async fn run(self, socket: WebSocket, slot: ConnectionSlot) {
        let (sink, stream) = socket.split();
        let outgoing = Arc::clone(self.client.outgoing());
        let writing =
            writer::write(Arc::clone(&outgoing), sink, self.written.clone(), self.client.shared_id());
        let writer = Writer::new(writing);
        let mut connection = Connection { stream: Some(stream), writer, slot, joined: false, pings: 0 };
        let _cut_off = CutOff(&outgoing);
        let leave = Leave(&self);
        let end = self.serve(&mut connection).await;
        drop(leave);
        let linger = matches!(end, End::Broken(_));
        match end {
            End::Gone => outgoing.end(),
            End::Close(close) | End::Broken(close) => {
                outgoing.close(close);
            }
        }
        // Boxed: while it is open, a connection doesn't need the memory.
        Box::pin(self.part(connection, linger)).await;
        debug!(client = self.client.id(), "a WebSocket client has gone");
    }

    /// Takes leave of a client, and runs the `disconnect` handler meanwhile.
    async fn part(&self, connection: Connection, linger: bool) {
        let Connection { mut slot, stream, mut writer, joined, .. } = connection;
        let farewell = async move {
            // The writer has bounds of its own.
            let is_closing = writer.ended().await;
            if let Some(mut stream) = stream.filter(|_| is_closing) {
                let closed = async { while let Some(Ok(_)) = stream.next().await {} };
                let _ = tokio::time::timeout(CLOSE_WITHIN, closed).await;
            }
            if linger {
                tokio::time::sleep(LINGER).await;
            }
            slot.vacate();
            slot
        };
        let disconnected = async {
            if joined {
                self.handlers().disconnected().await;
            }
        };
        let (slot, ()) = tokio::join!(farewell, disconnected);
        drop(slot);
    }

    /// Reads messages and handles them, one after the other, until the session ends and the messages that were read by
    /// then are handled.
    async fn serve(&self, connection: &mut Connection) -> End {
        let outgoing = self.client.outgoing();
        let mut heartbeat = Heartbeat::new(&self.server.settings);
        let mut inbox = Inbox::new(self.server.settings.inbox_bytes);
        let mut running = self.handlers().connected();
        if running.is_none() {
            self.join(connection, None);
        }
        let (mut closing, mut ended) =
            (pin!(outgoing.closing().cancelled()), pin!(outgoing.ended().cancelled()));
        let mut stopping = pin!(self.server.closing.cancelled());
        let mut end: Option<End> = None;
        let mut burst = 0;
        loop {
            if running.is_none() {
                match (inbox.pop(), &end) {
                    (Some(inbound), _) => running = Some(self.handle(inbound)),
                    (None, Some(_)) => break,
                    (None, None) => {}
                }
            }
            let is_behind = outgoing.is_behind();
            let is_reading = end.is_none() && inbox.has_room() && !is_behind;
            if end.is_some() || !inbox.has_room() {
                heartbeat.probe();
            }
            let is_gone = connection.stream.is_none();
            let is_burst = burst >= BURST;
            tokio::select! {
                // Messages before the writer, which so writes several answers at once.
                biased;
                Some(done) = OptionFuture::from(running.as_mut()), if !is_burst => {
                    burst += 1;
                    running = None;
                    match done {
                        Done::Handled => {}
                        Done::Joined(welcome) => self.join(connection, welcome),
                        Done::TurnedAway(close) => {
                            inbox.clear();
                            end = end.or(Some(End::Close(close)));
                        }
                    }
                }
                message = next(&mut connection.stream), if is_reading && !is_burst => {
                    burst += 1;
                    heartbeat.heard();
                    end = self.take(message, connection, &mut inbox);
                }
                // It ends with `ended`, or a session that is over waits for it.
                _ = connection.writer.ended(), if connection.writer.is_running() => {}
                () = outgoing.caught_up(), if is_behind && end.is_none() => {}
                () = closing.as_mut(), if end.is_none() => {
                    // Messages of a client that the service has disconnected are not handled.
                    inbox.clear();
                    end = Some(End::Close(Close::new(1000, "")));
                }
                () = ended.as_mut(), if !is_gone => end = Some(End::Gone),
                () = stopping.as_mut(), if end.is_none() => {
                    // A client that is gone needs no farewell.
                    let _ = outgoing.force(self.server.settings.shutdown_frame());
                    end = Some(End::Close(Close::new(1001, &self.server.settings.shutdown_message)));
                }
                () = heartbeat.due(), if !is_gone => {
                    match heartbeat.judge(is_reading, running.is_some(), &self.client) {
                        Verdict::Ping => {
                            connection.pings = connection.pings.saturating_add(1);
                            outgoing.ping();
                        }
                        Verdict::Close(close) if end.is_none() => {
                            // Now: what the client has sent may still take long to be handled.
                            outgoing.close(close.clone());
                            end = Some(End::Close(close));
                        }
                        // A session that ends has its close frame.
                        Verdict::Wait | Verdict::Close(_) => {}
                    }
                }
                () = std::future::ready(()), if is_burst => burst = 0,
            }
            if matches!(end, Some(End::Gone)) && connection.stream.is_some() {
                self.disconnect(connection);
            }
        }
        end.unwrap_or(End::Gone)
    }

    /// Releases what a connection holds, though messages of its client may still have to be handled.
    fn disconnect(&self, connection: &mut Connection) {
        self.client.outgoing().end();
        self.server.left(&self.client);
        connection.stream = None;
        connection.slot.vacate();
    }

    /// Puts a message into the inbox. Returns the end of the session, if the message is one.
    fn take(
        &self,
        message: Option<Result<Message, axum::Error>>,
        connection: &mut Connection,
        inbox: &mut Inbox,
    ) -> Option<End> {
        let (content, is_binary): (Bytes, bool) = match message {
            // The connection says once more that it ends, when the closing handshake is done.
            Some(Ok(Message::Close(_))) => return None,
            Some(Ok(Message::Ping(_))) => {
                // tungstenite holds one pong, and would drop it for the next.
                self.client.outgoing().pong();
                return self.count_control_frame(inbox);
            }
            Some(Ok(Message::Pong(_))) if connection.pings > 0 => {
                connection.pings -= 1;
                return None;
            }
            Some(Ok(Message::Pong(_))) => return self.count_control_frame(inbox),
            Some(Ok(Message::Text(text))) => (text.into(), false),
            Some(Ok(Message::Binary(content))) => (content, true),
            Some(Err(error)) => return Some(self.broken(error)),
            None => return Some(End::Gone),
        };
        self.client.received();
        let limit = self.server.settings.message_bytes;
        if content.len() > limit {
            return Some(End::Close(too_large(limit)));
        }
        inbox.push(match (self.is_within_rate(), is_binary) {
            (false, _) => Inbound::Limited(content),
            (true, false) => Inbound::Text(content),
            (true, true) => Inbound::Binary(content),
        });
        None
    }

    /// A ping, or a pong without one, counts as a message that needs no answer while the rate allows it.
    fn count_control_frame(&self, inbox: &mut Inbox) -> Option<End> {
        if !self.is_within_rate() {
            inbox.push(Inbound::Limited(Bytes::new()));
        }
        None
    }

    fn is_within_rate(&self) -> bool {
        self.limiter.as_ref().is_none_or(|limiter| limiter.check().is_ok())
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
        let handlers = self.handlers();
        if let (Inbound::Binary(content), Some(handler)) = (&inbound, handlers.binary_handler()) {
            return handlers.binary(content.clone(), handler);
        }
        let answer = match inbound {
            // Binary frames may have JSON too, as with the Python package.
            Inbound::Text(content) | Inbound::Binary(content) => match ClientMessage::read(&content) {
                Ok(message) => return handlers.message(&content, message),
                Err(why) => frame::unreadable(&why),
            },
            Inbound::Limited(content) => return handlers.limited(&content),
        };
        handlers.answer(answer)
    }

    /// Lets the client in. A client that had the same id makes room: most likely it is the same client, back before its
    /// old connection was found to be dead.
    fn join(&self, connection: &mut Connection, welcome: Option<Message>) {
        connection.joined = true;
        if connection.stream.is_none() {
            return;
        }
        if let Some(before) = self.server.sockets.admit(&self.client, welcome) {
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
        self.0.server.left(&self.0.client);
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

#[cfg(test)]
mod tests {
    use futures_util::stream::SplitSink;

    use super::*;

    /// Returns the size of what a function returns.
    fn size<A, B, C, F>(_: impl FnOnce(A, B, C) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn an_idle_client_takes_little_memory() {
        let session = size(Session::run);
        assert!(session <= 4 * 1024, "the task of a client has {session} bytes");
        let writer = size(|outgoing: Arc<Outgoing>, sink: SplitSink<WebSocket, Message>, client| {
            writer::write(outgoing, sink, BytesWritten::default(), client)
        });
        assert!(writer <= 2 * 1024, "the writer of a client has {writer} bytes");
    }
}
