//! What is on its way to one client: a bounded queue that never makes a sender wait, and the task that empties it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes};
use futures_util::{Sink, SinkExt};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::settings::WhenFull;

/// How long one frame may take to leave: a client that takes nothing in for so long is given up.
const WRITE_WITHIN: Duration = Duration::from_secs(30);
/// How long what is queued and the close frame may take together.
pub(super) const CLOSE_WITHIN: Duration = Duration::from_secs(5);
/// The same for a client that is closed because it doesn't keep up.
const HURRY: Duration = Duration::from_secs(1);
/// The most bytes of a close frame's reason (RFC 6455, 5.5).
const REASON_BYTES: usize = 123;

/// What is on its way to one client.
#[derive(Debug)]
pub(super) struct Outgoing {
    state: Mutex<OutgoingState>,
    limit: usize,
    when_full: WhenFull,
    changed: Notify,
    /// Cancelled once a close is asked for.
    closing: CancellationToken,
    /// Cancelled once nothing more is written.
    ended: CancellationToken,
    sent: AtomicU64,
    dropped: AtomicU64,
    /// Of all clients together.
    dropped_of_all: Arc<AtomicU64>,
}

#[derive(Debug, Default)]
struct OutgoingState {
    frames: VecDeque<Utf8Bytes>,
    ping: bool,
    close: Option<Close>,
    last_sent: Option<Instant>,
}

/// How a connection is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Close {
    pub(super) code: u16,
    pub(super) reason: String,
    hurry: bool,
}

impl Close {
    /// The reason is cut to what a close frame can carry.
    pub(super) fn new(code: u16, reason: &str) -> Self {
        let mut end = reason.len().min(REASON_BYTES);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        Self { code: sendable(code), reason: reason[..end].to_owned(), hurry: false }
    }

    /// For a client that most likely doesn't take it in any more.
    pub(super) fn hurried(code: u16, reason: &str) -> Self {
        Self { hurry: true, ..Self::new(code, reason) }
    }

    fn within(&self) -> Duration {
        if self.hurry { HURRY } else { CLOSE_WITHIN }
    }
}

/// A code that may stand in a close frame (RFC 6455, 7.4): any other would make the client drop the frame.
fn sendable(code: u16) -> u16 {
    match code {
        1000..=1003 | 1007..=1014 | 3000..=4999 => code,
        _ => 1000,
    }
}

enum Step {
    Ping,
    Frame(Utf8Bytes),
    Close(Close),
}

impl Outgoing {
    pub(super) fn new(limit: usize, when_full: WhenFull, dropped_of_all: Arc<AtomicU64>) -> Self {
        Self {
            state: Mutex::default(),
            limit,
            when_full,
            changed: Notify::new(),
            closing: CancellationToken::new(),
            ended: CancellationToken::new(),
            sent: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            dropped_of_all,
        }
    }

    /// Queues a frame; `false` when the connection is closing or gone.
    pub(super) fn push(&self, frame: Utf8Bytes) -> bool {
        let mut state = self.state();
        if state.close.is_some() || self.ended.is_cancelled() {
            return false;
        }
        if state.frames.len() >= self.limit {
            match self.when_full {
                WhenFull::DropOldest => {
                    state.frames.pop_front();
                    self.count_dropped(1);
                }
                WhenFull::Disconnect => {
                    let lost = state.frames.len() + 1;
                    state.frames.clear();
                    state.close = Some(Close::hurried(1013, "too slow for what is sent"));
                    drop(state);
                    self.count_dropped(lost);
                    self.closing.cancel();
                    self.changed.notify_one();
                    return false;
                }
            }
        }
        state.frames.push_back(frame);
        drop(state);
        self.changed.notify_one();
        true
    }

    /// How many frames have left.
    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    pub(super) fn last_sent(&self) -> Option<Instant> {
        self.state().last_sent
    }

    pub(super) fn ping(&self) {
        self.state().ping = true;
        self.changed.notify_one();
    }

    /// Closes the connection once what is queued has left. The first close counts; `false` when there was one.
    pub(super) fn close(&self, close: Close) -> bool {
        let mut state = self.state();
        if state.close.is_some() || self.ended.is_cancelled() {
            return false;
        }
        state.close = Some(close);
        drop(state);
        self.closing.cancel();
        self.changed.notify_one();
        true
    }

    /// Nothing more is written: the client is gone.
    pub(super) fn end(&self) {
        self.ended.cancel();
    }

    pub(super) fn closing(&self) -> &CancellationToken {
        &self.closing
    }

    pub(super) fn ended(&self) -> &CancellationToken {
        &self.ended
    }

    /// Writes until the connection is closed, the client is gone, or it takes nothing in any more. Returns whether the
    /// close frame has left, so that it may be answered.
    pub(super) async fn write(
        self: Arc<Self>,
        mut sink: impl Sink<Message, Error = axum::Error> + Unpin,
        client: Arc<str>,
    ) -> bool {
        let closed = tokio::select! {
            closed = self.write_all(&mut sink, &client) => closed,
            () = self.overdue() => {
                debug!(client = &*client, "a client didn't take in what was left for it");
                false
            }
            () = self.ended.cancelled() => false,
        };
        self.end();
        closed
    }

    async fn write_all(
        &self,
        sink: &mut (impl Sink<Message, Error = axum::Error> + Unpin),
        client: &str,
    ) -> bool {
        loop {
            let step = self.next().await;
            let (message, last) = match &step {
                Step::Ping => (Message::Ping(bytes::Bytes::new()), false),
                Step::Frame(text) => (Message::Text(text.clone()), false),
                Step::Close(Close { code, reason, .. }) => {
                    (Message::Close(Some(CloseFrame { code: *code, reason: reason.as_str().into() })), true)
                }
            };
            match timeout(WRITE_WITHIN, sink.send(message)).await {
                Ok(Ok(())) if last => return true,
                Ok(Ok(())) => {
                    if matches!(step, Step::Frame(_)) {
                        self.state().last_sent = Some(Instant::now());
                        self.sent.fetch_add(1, Ordering::Relaxed);
                    }
                }
                Ok(Err(error)) => {
                    debug!(client, %error, "a client can't be written to");
                    return false;
                }
                Err(_) => {
                    warn!(client, "a client took nothing in for {WRITE_WITHIN:?}; it is given up");
                    return false;
                }
            }
        }
    }

    async fn next(&self) -> Step {
        loop {
            {
                let mut state = self.state();
                if std::mem::take(&mut state.ping) {
                    return Step::Ping;
                }
                if let Some(frame) = state.frames.pop_front() {
                    return Step::Frame(frame);
                }
                if let Some(close) = &state.close {
                    return Step::Close(close.clone());
                }
            }
            self.changed.notified().await;
        }
    }

    /// Waits until a close has been asked for and its time is over.
    async fn overdue(&self) {
        self.closing.cancelled().await;
        let within = self.state().close.as_ref().map_or(CLOSE_WITHIN, Close::within);
        tokio::time::sleep(within).await;
    }

    fn count_dropped(&self, frames: usize) {
        let frames = frames as u64;
        self.dropped_of_all.fetch_add(frames, Ordering::Relaxed);
        if self.dropped.fetch_add(frames, Ordering::Relaxed) == 0 {
            warn!(queue = self.limit, "a client doesn't keep up with what is sent to it; frames are dropped");
        }
    }

    fn state(&self) -> MutexGuard<'_, OutgoingState> {
        // Whole after every statement that holds the lock.
        self.state.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outgoing(when_full: WhenFull) -> Outgoing {
        Outgoing::new(2, when_full, Arc::default())
    }

    #[test]
    fn the_oldest_is_dropped_and_counted() {
        let outgoing = outgoing(WhenFull::DropOldest);
        for text in ["1", "2", "3"] {
            assert!(outgoing.push(text.into()));
        }
        assert_eq!(outgoing.state().frames, ["2", "3"]);
        assert_eq!(outgoing.dropped.load(Ordering::Relaxed), 1);
        assert_eq!(outgoing.dropped_of_all.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn or_the_client_is_disconnected() {
        let outgoing = outgoing(WhenFull::Disconnect);
        assert!(outgoing.push("1".into()) && outgoing.push("2".into()));
        assert!(!outgoing.push("3".into()) && !outgoing.push("4".into()));
        assert_eq!(outgoing.state().close.as_ref().map(|close| close.code), Some(1013));
        assert_eq!(outgoing.dropped.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn a_reason_fits_into_its_frame() {
        assert_eq!(Close::new(1008, &"ä".repeat(100)).reason, "ä".repeat(61));
        assert_eq!(Close::new(1008, "short").reason, "short");
        assert_eq!(Close::new(1005, "").code, 1000);
    }
}
