//! Messages of one client that have been read and wait to be handled.

use std::collections::VecDeque;

use bytes::Bytes;

/// The maximum number of messages that wait. Bytes bound the memory; this bounds the work that is left when the client
/// disconnects, and is large enough that the end of most connections is read in time.
const MESSAGES: usize = 256;

/// A message that waits for its turn.
pub(super) enum Inbound {
    Text(Bytes),
    Binary(Bytes),
    /// One above the rate limit. It waits too, so that the answers have the order of the messages.
    Limited(Bytes),
}

impl Inbound {
    fn size(&self) -> usize {
        match self {
            Self::Text(content) | Self::Binary(content) | Self::Limited(content) => content.len(),
        }
    }
}

/// Messages of one client that have been read and wait to be handled. Without room, the connection isn't read.
pub(super) struct Inbox {
    messages: VecDeque<Inbound>,
    bytes: usize,
    limit: usize,
}

impl Inbox {
    /// Creates an inbox that has room while it holds fewer than `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self { messages: VecDeque::new(), bytes: 0, limit }
    }

    pub(super) fn has_room(&self) -> bool {
        self.messages.len() < MESSAGES && (self.bytes < self.limit || self.messages.is_empty())
    }

    pub(super) fn push(&mut self, message: Inbound) {
        self.bytes += message.size();
        self.messages.push_back(message);
    }

    pub(super) fn pop(&mut self) -> Option<Inbound> {
        let message = self.messages.pop_front()?;
        self.bytes -= message.size();
        Some(message)
    }

    pub(super) fn clear(&mut self) {
        self.messages.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inbox_is_bounded_in_messages_and_bytes() {
        let mut inbox = Inbox::new(10);
        inbox.push(Inbound::Text(Bytes::from_static(b"123456789")));
        assert!(inbox.has_room());
        inbox.push(Inbound::Binary(Bytes::from_static(b"1")));
        assert!(!inbox.has_room());
        assert!(inbox.pop().is_some() && inbox.has_room());
        inbox.clear();
        for _ in 0..MESSAGES {
            assert!(inbox.has_room());
            inbox.push(Inbound::Text(Bytes::new()));
        }
        assert!(!inbox.has_room());
    }
}
