//! The bounds of a queue.

/// How much a [`Queue`](super::Queue) holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueLimits {
    /// The maximum number of messages. Defaults to no limit: the bytes limit memory, and a burst of small messages fits.
    pub messages: usize,
    /// The maximum number of bytes; the payload, the channel name and 128 bytes are counted for each message. Defaults to
    /// 64 MiB. An empty queue accepts a message of any size, so that no message is undeliverable.
    pub bytes: usize,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self { messages: usize::MAX, bytes: 64 * 1024 * 1024 }
    }
}
