//! The queue of one client: frames that wait to be written.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::ws::Message;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::close::{CLOSE_WITHIN, Close};
use super::error::{SocketError, not_connected};
use super::waiting_frames::{QueueBounds, WaitingFrames, WhenFull, size};

/// The queue of one client.
///
/// Frames that nobody waits for may be dropped when the queue is full. *Kept* frames never are: the answers to the
/// client's messages, and frames whose sender waits for a place.
#[derive(Debug)]
pub(super) struct Outgoing {
    client: Arc<str>,
    state: Mutex<OutgoingState>,
    bounds: QueueBounds,
    /// For the writer: there is something to write.
    changed: Notify,
    /// For everyone who waits for a place: a frame has left.
    left: Notify,
    /// Held by the sender that waits for a place, so that senders are served in their order.
    turn: tokio::sync::Mutex<()>,
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
    frames: WaitingFrames,
    ping: bool,
    /// A client's ping has been read, and its pong is not written yet.
    pong: bool,
    close: Option<Close>,
    last_sent: Option<Instant>,
    /// When the connection last accepted bytes after it had accepted none for a while.
    drained: Option<Instant>,
}

/// What the writer does next.
#[derive(Debug)]
pub(super) enum Step {
    Ping,
    /// Write the pong that tungstenite holds.
    Pong,
    /// Write this frame, and others that wait.
    Frame(Message),
    Close(Close),
}

impl Outgoing {
    pub(super) fn new(client: Arc<str>, bounds: QueueBounds, dropped_of_all: Arc<AtomicU64>) -> Self {
        Self {
            client,
            state: Mutex::default(),
            bounds,
            changed: Notify::new(),
            left: Notify::new(),
            turn: tokio::sync::Mutex::default(),
            closing: CancellationToken::new(),
            ended: CancellationToken::new(),
            sent: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            dropped_of_all,
        }
    }

    /// Queues a frame without waiting. If the queue is full, frames are dropped or the client is disconnected.
    pub(super) fn push(&self, frame: Message) -> Result<(), SocketError> {
        let bytes = self.checked_size(&frame)?;
        let mut state = self.open_state()?;
        if self.bounds.when_full == WhenFull::Disconnect && !state.frames.fits(bytes, &self.bounds) {
            let lost = std::mem::take(&mut state.frames).count() + 1;
            state.close = Some(Close::hurried(1013, "too slow for what is sent"));
            drop(state);
            self.count_dropped(lost);
            self.close_is_asked_for();
            return Err(not_connected(&self.client));
        }
        let dropped = state.frames.push(frame, &self.bounds);
        drop(state);
        self.count_dropped(dropped);
        self.changed.notify_one();
        Ok(())
    }

    /// Queues a frame that is never dropped, as soon as the queue has a place for it.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it has completed, the frame is not sent.
    pub(super) async fn deliver(&self, frame: Message) -> Result<(), SocketError> {
        let bytes = self.checked_size(&frame)?;
        let _turn = self.turn.lock().await;
        self.until(|state| state.frames.has_place(bytes, &self.bounds)).await;
        // Only the holder of the turn queues kept frames, so the place is still there, except for those of `force`.
        self.force(frame)
    }

    /// Queues a frame that is never dropped, even if the queue is full: for the few frames of the connection's own.
    pub(super) fn force(&self, frame: Message) -> Result<(), SocketError> {
        let bytes = self.checked_size(&frame)?;
        let mut state = self.open_state()?;
        let dropped = match self.bounds.when_full {
            WhenFull::DropOldest => state.frames.make_room(bytes, &self.bounds),
            WhenFull::Disconnect => 0,
        };
        state.frames.keep(frame);
        drop(state);
        self.count_dropped(dropped);
        self.changed.notify_one();
        Ok(())
    }

    /// Returns whether the client's messages are not to be read for now: its answers fill half of the queue, or the pong
    /// of its last ping is not written.
    pub(super) fn is_behind(&self) -> bool {
        self.is_state_behind(&self.state())
    }

    fn is_state_behind(&self, state: &OutgoingState) -> bool {
        state.pong || state.frames.are_half_kept(&self.bounds)
    }

    /// Waits until the client's messages may be read again.
    pub(super) async fn caught_up(&self) {
        self.until(|state| !self.is_state_behind(state)).await;
    }

    /// Waits until the queue is in a state, or the connection closes.
    async fn until(&self, is_reached: impl Fn(&OutgoingState) -> bool) {
        loop {
            let mut left = std::pin::pin!(self.left.notified());
            left.as_mut().enable();
            if self.closing.is_cancelled() || self.ended.is_cancelled() || is_reached(&self.state()) {
                return;
            }
            tokio::select! {
                () = left => {}
                () = self.closing.cancelled() => return,
                () = self.ended.cancelled() => return,
            }
        }
    }

    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    pub(super) fn last_sent(&self) -> Option<Instant> {
        self.state().last_sent
    }

    /// When a client that had not kept up was last seen to read.
    pub(super) fn drained(&self) -> Option<Instant> {
        self.state().drained
    }

    pub(super) fn note_drained(&self) {
        self.state().drained = Some(Instant::now());
    }

    pub(super) fn ping(&self) {
        self.state().ping = true;
        self.changed.notify_one();
    }

    /// Has the pong of a ping written that was just read. Until then [`is_behind`](Self::is_behind).
    pub(super) fn pong(&self) {
        self.state().pong = true;
        self.changed.notify_one();
    }

    /// Closes the connection once the queue has been written. The first close counts; `false` if there was one.
    pub(super) fn close(&self, close: Close) -> bool {
        let Ok(mut state) = self.open_state() else { return false };
        state.close = Some(close);
        drop(state);
        self.close_is_asked_for();
        true
    }

    /// Ends writing: the client is gone. The queue is released.
    pub(super) fn end(&self) {
        self.ended.cancel();
        self.state().frames = WaitingFrames::default();
    }

    pub(super) fn closing(&self) -> &CancellationToken {
        &self.closing
    }

    pub(super) fn ended(&self) -> &CancellationToken {
        &self.ended
    }

    /// Returns the next step of the writer.
    pub(super) async fn next(&self) -> Step {
        loop {
            {
                let mut state = self.state();
                if state.pong {
                    return Step::Pong;
                }
                if std::mem::take(&mut state.ping) {
                    return Step::Ping;
                }
                if let Some(frame) = state.frames.pop() {
                    return Step::Frame(frame);
                }
                if let Some(close) = &state.close {
                    return Step::Close(close.clone());
                }
            }
            self.changed.notified().await;
        }
    }

    /// Returns the next frame, unless a ping or a pong is to be written before it.
    pub(super) fn next_frame(&self) -> Option<Message> {
        let mut state = self.state();
        if state.pong || state.ping { None } else { state.frames.pop() }
    }

    /// Notes that the pong has been written.
    pub(super) fn pong_written(&self) {
        self.state().pong = false;
        self.left.notify_waiters();
    }

    /// Notes that frames have been written.
    pub(super) fn frames_written(&self, frames: u64) {
        self.state().last_sent = Some(Instant::now());
        self.sent.fetch_add(frames, Ordering::Relaxed);
        self.left.notify_waiters();
    }

    /// Waits until a close has been asked for and its time is over.
    pub(super) async fn overdue(&self) {
        self.closing.cancelled().await;
        let within = self.state().close.as_ref().map_or(CLOSE_WITHIN, Close::within);
        tokio::time::sleep(within).await;
    }

    fn close_is_asked_for(&self) {
        self.closing.cancel();
        self.changed.notify_one();
    }

    pub(super) fn checked_size(&self, frame: &Message) -> Result<usize, SocketError> {
        let (bytes, limit) = (size(frame), self.bounds.bytes);
        if bytes <= limit { Ok(bytes) } else { Err(SocketError::TooLarge { bytes, limit }) }
    }

    fn count_dropped(&self, frames: usize) {
        if frames == 0 {
            return;
        }
        let (frames, client) = (frames as u64, &*self.client);
        self.dropped_of_all.fetch_add(frames, Ordering::Relaxed);
        if self.dropped.fetch_add(frames, Ordering::Relaxed) == 0 {
            let QueueBounds { frames, bytes, .. } = self.bounds;
            warn!(
                client,
                frames, bytes, "a client doesn't keep up, and its queue is full; frames are dropped"
            );
        }
    }

    /// Returns the state, if the connection takes frames.
    fn open_state(&self) -> Result<MutexGuard<'_, OutgoingState>, SocketError> {
        let state = self.state();
        if state.close.is_some() || self.ended.is_cancelled() {
            return Err(not_connected(&self.client));
        }
        Ok(state)
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> Vec<Message> {
        self.state().frames.all()
    }

    fn state(&self) -> MutexGuard<'_, OutgoingState> {
        self.state.lock()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn outgoing(frames: usize, bytes: usize, when_full: WhenFull) -> Outgoing {
        Outgoing::new("user_1".into(), QueueBounds { frames, bytes, when_full }, Arc::default())
    }

    fn text(text: &str) -> Message {
        Message::Text(text.into())
    }

    fn queued(outgoing: &Outgoing) -> Vec<String> {
        outgoing.waiting().iter().map(|frame| frame.to_text().unwrap().to_owned()).collect()
    }

    #[test]
    fn the_oldest_is_dropped_and_counted() {
        let outgoing = outgoing(2, 1000, WhenFull::DropOldest);
        for frame in ["1", "2", "3"] {
            outgoing.push(text(frame)).unwrap();
        }
        assert_eq!(queued(&outgoing), ["2", "3"]);
        assert_eq!(outgoing.dropped(), 1);
        assert_eq!(outgoing.dropped_of_all.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn bytes_are_bounded_too() {
        let outgoing = outgoing(100, 10, WhenFull::DropOldest);
        for frame in ["aaaa", "bbbb", "cccc", "dddddddddd"] {
            outgoing.push(text(frame)).unwrap();
        }
        assert_eq!(queued(&outgoing), ["dddddddddd"]);
        assert_eq!(outgoing.dropped(), 3);
        let too_large = outgoing.push(text("eleven bytes"));
        assert!(matches!(too_large, Err(SocketError::TooLarge { bytes: 12, limit: 10 })), "{too_large:?}");
    }

    #[test]
    fn or_the_client_is_disconnected() {
        let outgoing = outgoing(2, 1000, WhenFull::Disconnect);
        assert!(outgoing.push(text("1")).is_ok() && outgoing.push(text("2")).is_ok());
        assert!(outgoing.push(text("3")).is_err() && outgoing.push(text("4")).is_err());
        assert_eq!(outgoing.state().close.as_ref().map(|close| close.code), Some(1013));
        assert_eq!(outgoing.dropped(), 3);
    }

    #[test]
    fn kept_frames_are_never_dropped_and_wait_for_a_place() {
        let outgoing = outgoing(2, 1000, WhenFull::DropOldest);
        assert!(outgoing.deliver(text("1")).now_or_never().is_some());
        assert!(outgoing.is_behind(), "half of the queue is answers");
        for frame in ["2", "3"] {
            outgoing.push(text(frame)).unwrap();
        }
        assert!(outgoing.deliver(text("4")).now_or_never().is_some());
        outgoing.push(text("5")).unwrap();
        assert!(outgoing.deliver(text("6")).now_or_never().is_none(), "the queue is full of kept frames");
        assert_eq!(outgoing.dropped(), 3);
        assert_eq!(queued(&outgoing), ["1", "4"]);
        for expected in ["1", "4"] {
            let step = outgoing.next().now_or_never().unwrap();
            assert!(matches!(&step, Step::Frame(frame) if frame.to_text().unwrap() == expected));
            outgoing.frames_written(1);
        }
        assert!(!outgoing.is_behind());
    }

    #[tokio::test]
    async fn a_sender_that_waits_is_woken_by_a_place_or_by_the_end() {
        let outgoing = Arc::new(outgoing(1, 1000, WhenFull::DropOldest));
        outgoing.deliver(text("1")).await.unwrap();
        let waiting = || {
            let outgoing = Arc::clone(&outgoing);
            tokio::spawn(async move { outgoing.deliver(text("2")).await })
        };
        let (second, third) = (waiting(), waiting());
        tokio::task::yield_now().await;
        let _first = outgoing.next().await;
        outgoing.frames_written(1);
        second.await.unwrap().unwrap();
        outgoing.end();
        assert!(matches!(third.await.unwrap(), Err(SocketError::NotConnected { .. })));
    }
}
