//! Writes the frames of one client.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message};
use futures_util::future::BoxFuture;
use futures_util::{Sink, SinkExt as _};
use tracing::{debug, warn};

use super::close::Close;
use super::outgoing::{Outgoing, Step};
use super::settings::BUFFER;
use super::waiting_frames::size;
use crate::runtime::{BytesWritten, RunOn};

/// How long a connection may accept no byte until the client is disconnected. A client that reads slowly stays.
const STALLED: Duration = Duration::from_secs(30);

/// The largest header of a frame that the service writes.
const FRAME_HEADER: usize = 10;

type Spawn = fn(BoxFuture<'static, bool>);

/// Writes the client's queue, in the session's task. If the session is cut off, the writer still writes the close frame, in
/// a task of its own that is not among the service's workers.
pub(super) struct Writer {
    /// `None` once it has ended.
    running: Option<RunOn<bool, Spawn>>,
    /// Whether it has written the close frame.
    is_closing: bool,
}

impl Writer {
    pub(super) fn new(writing: impl Future<Output = bool> + Send + 'static) -> Self {
        Self { running: Some(RunOn::new(writing, |writing| drop(tokio::spawn(writing)))), is_closing: false }
    }

    /// Waits until the writer has ended. Returns whether it has written the close frame.
    pub(super) async fn ended(&mut self) -> bool {
        if let Some(running) = &mut self.running {
            self.is_closing = running.await;
            self.running = None;
        }
        self.is_closing
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }
}

/// Writes until the connection is closed, the client is gone, or it doesn't read any more. Returns whether the close
/// frame has been written, so that it may be answered.
pub(super) async fn write(
    outgoing: Arc<Outgoing>,
    mut sink: impl Sink<Message, Error = axum::Error> + Unpin,
    written: BytesWritten,
    client: Arc<str>,
) -> bool {
    let closed = tokio::select! {
        closed = write_all(&outgoing, &mut sink, &written, &client) => closed,
        () = outgoing.overdue() => {
            debug!(client = &*client, "the client did not read the rest of its queue in time");
            false
        }
        () = outgoing.ended().cancelled() => false,
    };
    outgoing.end();
    closed
}

async fn write_all(
    outgoing: &Outgoing,
    sink: &mut (impl Sink<Message, Error = axum::Error> + Unpin),
    written: &BytesWritten,
    client: &str,
) -> bool {
    loop {
        let step = outgoing.next().await;
        let (is_pong, is_close) = (matches!(step, Step::Pong), matches!(step, Step::Close(_)));
        let writing = async {
            let mut frames = 0;
            match step {
                Step::Ping => sink.feed(Message::Ping(bytes::Bytes::new())).await?,
                Step::Pong => {}
                Step::Frame(first) => frames = feed(outgoing, sink, first).await?,
                Step::Close(Close { code, reason, .. }) => {
                    let close = CloseFrame { code, reason: reason.as_str().into() };
                    sink.feed(Message::Close(Some(close))).await?;
                }
            }
            sink.flush().await.map(|()| frames)
        };
        match written.while_progressing(STALLED, writing, || outgoing.note_drained()).await {
            Some(Ok(_)) if is_close => return true,
            Some(Ok(0)) if is_pong => outgoing.pong_written(),
            Some(Ok(0)) => {}
            Some(Ok(frames)) => outgoing.frames_written(frames),
            Some(Err(error)) => {
                debug!(client, %error, "writing to a client failed");
                return false;
            }
            None => {
                warn!(client, stalled = ?STALLED, "a client has read nothing; it is disconnected");
                return false;
            }
        }
    }
}

/// Writes a frame into the connection's buffer, and others that wait, until the buffer is full. Returns their number.
async fn feed(
    outgoing: &Outgoing,
    sink: &mut (impl Sink<Message, Error = axum::Error> + Unpin),
    first: Message,
) -> Result<u64, axum::Error> {
    let (mut frame, mut frames, mut bytes) = (first, 0, 0);
    loop {
        bytes += size(&frame) + FRAME_HEADER;
        sink.feed(frame).await?;
        frames += 1;
        match (bytes < BUFFER).then(|| outgoing.next_frame()).flatten() {
            Some(next) => frame = next,
            None => return Ok(frames),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, DuplexStream, duplex};
    use tokio::time::{Instant, sleep};
    use tokio_tungstenite::WebSocketStream;
    use tokio_tungstenite::tungstenite::Message as Sent;
    use tokio_tungstenite::tungstenite::protocol::Role;

    use super::*;
    use crate::runtime::CountWritten;
    use crate::socket::close::Close;
    use crate::socket::waiting_frames::{QueueBounds, WhenFull};

    const BYTES: usize = 1_500_000;

    /// Begins to write one frame to a client, with few bytes in flight.
    async fn writing() -> (Arc<Outgoing>, DuplexStream, tokio::task::JoinHandle<bool>) {
        let bounds = QueueBounds { frames: 4, bytes: BYTES, when_full: WhenFull::DropOldest };
        let outgoing = Arc::new(Outgoing::new("user_1".into(), bounds, Arc::default()));
        let (server, client) = duplex(1024);
        let written = BytesWritten::default();
        let server = CountWritten::new(server, written.clone());
        let socket = WebSocketStream::from_raw_socket(server, Role::Server, None).await;
        let sink = socket.sink_map_err(axum::Error::new).with(|message: Message| {
            std::future::ready(Ok::<_, axum::Error>(match message {
                Message::Text(text) => Sent::text(text.as_str()),
                _ => Sent::Close(None),
            }))
        });
        outgoing.push(Message::Text("x".repeat(BYTES).into())).unwrap();
        let writer = tokio::spawn(write(Arc::clone(&outgoing), sink, written, "user_1".into()));
        (outgoing, client, writer)
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_slowly_receives_the_whole_frame() {
        let (outgoing, mut client, writer) = writing().await;
        let started = Instant::now();
        let mut content = vec![0; 25_000];
        for _ in 0..BYTES / content.len() {
            sleep(Duration::from_secs(1)).await;
            client.read_exact(&mut content).await.unwrap();
        }
        assert!(started.elapsed() >= STALLED * 2);
        let drained = outgoing.drained().unwrap();
        assert!(drained.elapsed() < Duration::from_secs(5), "{:?}", drained.elapsed());
        outgoing.close(Close::new(1000, ""));
        let mut end = Vec::new();
        client.read_to_end(&mut end).await.unwrap();
        assert!(writer.await.unwrap(), "the close frame is written too");
        assert_eq!(outgoing.sent(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_nothing_is_disconnected() {
        let (outgoing, _client, writer) = writing().await;
        let started = Instant::now();
        assert!(!writer.await.unwrap());
        assert!((STALLED..STALLED * 2).contains(&started.elapsed()), "{:?}", started.elapsed());
        assert!(outgoing.ended().is_cancelled());
    }
}
