//! The queue of one client: frames that wait to be written.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::ws::Message;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::close::{CLOSE_WITHIN, Close};
use super::error::{SocketError, not_connected};

/// What happens to a client that doesn't keep up with what is sent to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum WhenFull {
    /// The oldest frames of its queue make room for the newest, as suits live data. Answers to the client's messages, and
    /// frames sent with [`Client::send_async`](crate::Client::send_async), are never dropped.
    #[default]
    DropOldest,
    /// It is disconnected with 1013, and its queue is dropped: for clients that must not miss anything.
    Disconnect,
}

/// The bounds of a client's queue.
#[derive(Debug, Clone, Copy)]
pub(super) struct QueueBounds {
    pub(super) frames: usize,
    /// Also the largest frame.
    pub(super) bytes: usize,
    pub(super) when_full: WhenFull,
}

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
    kept: Lane,
    droppable: Lane,
    /// The number of the next frame, so that the two lanes are written in one order.
    next: u64,
    ping: bool,
    /// A client's ping has been read, and its pong is not written yet.
    pong: bool,
    close: Option<Close>,
    last_sent: Option<Instant>,
    /// When the connection last accepted bytes after it had accepted none for a while.
    drained: Option<Instant>,
}

/// Frames in order, with their number, and their size.
#[derive(Debug, Default)]
struct Lane {
    frames: VecDeque<(u64, Message)>,
    bytes: usize,
}

impl Lane {
    fn push(&mut self, number: u64, frame: Message) {
        self.bytes += size(&frame);
        self.frames.push_back((number, frame));
    }

    fn pop(&mut self) -> Option<Message> {
        let (_, frame) = self.frames.pop_front()?;
        self.bytes -= size(&frame);
        Some(frame)
    }

    fn first(&self) -> Option<u64> {
        self.frames.front().map(|(number, _)| *number)
    }

    fn fits(&self, frame: usize, bounds: &QueueBounds) -> bool {
        self.frames.len() < bounds.frames && self.bytes.saturating_add(frame) <= bounds.bytes
    }
}

impl OutgoingState {
    fn fits(&self, frame: usize, bounds: &QueueBounds) -> bool {
        self.kept.frames.len() + self.droppable.frames.len() < bounds.frames
            && self.kept.bytes.saturating_add(self.droppable.bytes).saturating_add(frame) <= bounds.bytes
    }

    /// Drops the oldest droppable frames until a frame fits. Returns how many were dropped.
    fn make_room(&mut self, frame: usize, bounds: &QueueBounds) -> usize {
        let mut dropped = 0;
        while !self.fits(frame, bounds) && self.droppable.pop().is_some() {
            dropped += 1;
        }
        dropped
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn pop(&mut self) -> Option<Message> {
        match (self.kept.first(), self.droppable.first()) {
            (Some(kept), Some(droppable)) if droppable < kept => self.droppable.pop(),
            (Some(_), _) => self.kept.pop(),
            (None, _) => self.droppable.pop(),
        }
    }
}

/// What the writer does next.
#[derive(Debug)]
pub(super) enum Step {
    Ping,
    /// Write the pong that tungstenite holds.
    Pong,
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
        let mut dropped = 0;
        if !state.fits(bytes, &self.bounds) {
            match self.bounds.when_full {
                WhenFull::DropOldest => dropped = state.make_room(bytes, &self.bounds),
                WhenFull::Disconnect => {
                    let lost = state.kept.frames.len() + state.droppable.frames.len() + 1;
                    (state.kept, state.droppable) = (Lane::default(), Lane::default());
                    state.close = Some(Close::hurried(1013, "too slow for what is sent"));
                    drop(state);
                    self.count_dropped(lost);
                    self.close_is_asked_for();
                    return Err(not_connected(&self.client));
                }
            }
        }
        if state.fits(bytes, &self.bounds) {
            let number = state.number();
            state.droppable.push(number, frame);
        } else {
            // The queue is full of frames that are never dropped.
            dropped += 1;
        }
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
        self.until(|state| self.has_place(state, bytes)).await;
        // Only the holder of the turn queues kept frames, so the place is still there, except for those of `force`.
        self.force(frame)
    }

    /// Queues a frame that is never dropped, even if the queue is full: for the few frames of the connection's own.
    pub(super) fn force(&self, frame: Message) -> Result<(), SocketError> {
        let bytes = self.checked_size(&frame)?;
        let mut state = self.open_state()?;
        let dropped = match self.bounds.when_full {
            WhenFull::DropOldest => state.make_room(bytes, &self.bounds),
            WhenFull::Disconnect => 0,
        };
        let number = state.number();
        state.kept.push(number, frame);
        drop(state);
        self.count_dropped(dropped);
        self.changed.notify_one();
        Ok(())
    }

    fn has_place(&self, state: &OutgoingState, bytes: usize) -> bool {
        match self.bounds.when_full {
            // Droppable frames make room.
            WhenFull::DropOldest => state.kept.fits(bytes, &self.bounds),
            WhenFull::Disconnect => state.fits(bytes, &self.bounds),
        }
    }

    /// Returns whether the client's messages are not to be read for now: its answers fill half of the queue, or the pong
    /// of its last ping is not written.
    pub(super) fn is_behind(&self) -> bool {
        self.is_state_behind(&self.state())
    }

    fn is_state_behind(&self, state: &OutgoingState) -> bool {
        let Lane { frames, bytes } = &state.kept;
        state.pong
            || (!frames.is_empty()
                && (frames.len() >= self.bounds.frames.div_ceil(2) || *bytes >= self.bounds.bytes / 2))
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

    /// The number of frames written.
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
        let mut state = self.state();
        (state.kept, state.droppable) = (Lane::default(), Lane::default());
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
                if let Some(frame) = state.pop() {
                    return Step::Frame(frame);
                }
                if let Some(close) = &state.close {
                    return Step::Close(close.clone());
                }
            }
            self.changed.notified().await;
        }
    }

    /// Notes that a step of the writer is done.
    pub(super) fn done(&self, step: &Step) {
        let mut state = self.state();
        match step {
            Step::Pong => state.pong = false,
            Step::Frame(_) => {
                state.last_sent = Some(Instant::now());
                self.sent.fetch_add(1, Ordering::Relaxed);
            }
            Step::Ping | Step::Close(_) => return,
        }
        drop(state);
        self.left.notify_waiters();
    }

    /// Waits until a close has been asked for and its time is over.
    pub(super) async fn overdue(&self) {
        self.closing.cancelled().await;
        let within: Duration = self.state().close.as_ref().map_or(CLOSE_WITHIN, Close::within);
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

    /// Returns the frames that wait, in their order.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> Vec<Message> {
        let state = self.state();
        let mut frames: Vec<_> = state.kept.frames.iter().chain(&state.droppable.frames).cloned().collect();
        frames.sort_by_key(|(number, _)| *number);
        frames.into_iter().map(|(_, frame)| frame).collect()
    }

    fn state(&self) -> MutexGuard<'_, OutgoingState> {
        // Whole after every statement that holds the lock.
        self.state.lock()
    }
}

/// The size of a frame's payload.
fn size(frame: &Message) -> usize {
    match frame {
        Message::Text(text) => text.len(),
        Message::Binary(bytes) | Message::Ping(bytes) | Message::Pong(bytes) => bytes.len(),
        Message::Close(_) => 0,
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
        let frames = outgoing.waiting();
        frames.into_iter().map(|frame| frame.into_text().unwrap().to_string()).collect()
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
            outgoing.done(&step);
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
        let step = outgoing.next().await;
        outgoing.done(&step);
        second.await.unwrap().unwrap();
        outgoing.end();
        assert!(matches!(third.await.unwrap(), Err(SocketError::NotConnected { .. })));
    }
}
