//! The frames that wait for one client, in two lanes: those that are never dropped, and the others.

use std::collections::VecDeque;

use axum::extract::ws::Message;

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

/// The frames that wait for one client.
#[derive(Debug, Default)]
pub(super) struct WaitingFrames {
    /// Frames that are never dropped.
    kept: Lane,
    droppable: Lane,
    /// The number of the last frame, so that the two lanes are written in one order.
    last: u64,
}

/// Frames in order, with their numbers, and their size.
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
}

impl WaitingFrames {
    pub(super) fn count(&self) -> usize {
        self.kept.frames.len() + self.droppable.frames.len()
    }

    /// Returns whether a frame of this size fits beside all others.
    pub(super) fn fits(&self, bytes: usize, bounds: &QueueBounds) -> bool {
        let all = self.kept.bytes.saturating_add(self.droppable.bytes);
        self.count() < bounds.frames && all.saturating_add(bytes) <= bounds.bytes
    }

    /// Returns whether there is a place for a frame that is never dropped.
    pub(super) fn has_place(&self, bytes: usize, bounds: &QueueBounds) -> bool {
        let Lane { frames, bytes: kept } = &self.kept;
        match bounds.when_full {
            // Droppable frames make room.
            WhenFull::DropOldest => {
                frames.len() < bounds.frames && kept.saturating_add(bytes) <= bounds.bytes
            }
            WhenFull::Disconnect => self.fits(bytes, bounds),
        }
    }

    /// Drops the oldest droppable frames until a frame of this size fits. Returns how many were dropped.
    pub(super) fn make_room(&mut self, bytes: usize, bounds: &QueueBounds) -> usize {
        let mut dropped = 0;
        while !self.fits(bytes, bounds) && self.droppable.pop().is_some() {
            dropped += 1;
        }
        dropped
    }

    /// Returns whether frames that are never dropped fill half of the queue.
    pub(super) fn are_half_kept(&self, bounds: &QueueBounds) -> bool {
        let Lane { frames, bytes } = &self.kept;
        !frames.is_empty() && (frames.len() >= bounds.frames.div_ceil(2) || *bytes >= bounds.bytes / 2)
    }

    /// Adds a frame that may be dropped, and drops the oldest ones for it. If frames that are never dropped leave no place for
    /// it, it is dropped itself. Returns how many were dropped.
    pub(super) fn push(&mut self, frame: Message, bounds: &QueueBounds) -> usize {
        if !self.has_place(size(&frame), bounds) {
            return 1;
        }
        let dropped = self.make_room(size(&frame), bounds);
        self.last += 1;
        self.droppable.push(self.last, frame);
        dropped
    }

    /// Adds a frame that is never dropped.
    pub(super) fn keep(&mut self, frame: Message) {
        self.last += 1;
        self.kept.push(self.last, frame);
    }

    /// Takes the first frame.
    pub(super) fn pop(&mut self) -> Option<Message> {
        match (self.kept.first(), self.droppable.first()) {
            (Some(kept), Some(droppable)) if droppable < kept => self.droppable.pop(),
            (Some(_), _) => self.kept.pop(),
            (None, _) => self.droppable.pop(),
        }
    }

    /// Returns all frames, in their order.
    #[cfg(test)]
    pub(super) fn all(&self) -> Vec<Message> {
        let mut frames: Vec<_> = self.kept.frames.iter().chain(&self.droppable.frames).cloned().collect();
        frames.sort_by_key(|(number, _)| *number);
        frames.into_iter().map(|(_, frame)| frame).collect()
    }
}

/// The size of a frame's payload.
pub(super) fn size(frame: &Message) -> usize {
    match frame {
        Message::Text(text) => text.len(),
        Message::Binary(bytes) | Message::Ping(bytes) | Message::Pong(bytes) => bytes.len(),
        Message::Close(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_without_a_place_drops_no_other() {
        let bounds = QueueBounds { frames: 10, bytes: 10, when_full: WhenFull::DropOldest };
        let mut frames = WaitingFrames::default();
        frames.keep(Message::text("six..."));
        assert_eq!(frames.push(Message::text("two"), &bounds), 0);
        assert_eq!(frames.push(Message::text("five."), &bounds), 1);
        assert_eq!(frames.all(), [Message::text("six..."), Message::text("two")]);
        assert_eq!(frames.push(Message::text("four"), &bounds), 1);
        assert_eq!(frames.all(), [Message::text("six..."), Message::text("four")]);
    }
}
