//! The final replies to one inbox that no receiver has.

use std::collections::VecDeque;

use bytes::Bytes;
use tokio::time::Instant;

use super::publisher::Batching;
use crate::wire::RawJson;

/// How many replies one inbox may have in its queue.
pub(super) const REPLIES: usize = 1024;
/// How many bytes they may have.
pub(super) const BYTES: usize = 4 * 1024 * 1024;
/// Added to each reply's size, so that the limit in bytes also bounds many small replies to many inboxes: the queue, its
/// task and the inbox's name.
const OVERHEAD: usize = 1024;

/// A final reply, and how long it is repeated.
#[derive(Debug, Clone)]
pub(super) struct UndeliveredReply {
    pub(super) message: Bytes,
    /// The request's id as JSON, by which the reply is withdrawn.
    pub(super) request_id: Option<RawJson>,
    pub(super) deadline: Instant,
    pub(super) batching: Batching,
}

impl UndeliveredReply {
    pub(super) fn size(&self) -> usize {
        let request_id = self.request_id.as_ref().map_or(0, |request_id| request_id.as_bytes().len());
        self.message.len() + request_id + OVERHEAD
    }

    /// Returns whether the queue of an inbox has room for the reply if it is empty.
    pub(super) fn fits_queue(&self) -> bool {
        self.size() <= BYTES
    }
}

/// What the outbox knows about the receiver of an inbox.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum InboxState {
    /// No probe has been answered yet, or the bus has reconnected since.
    #[default]
    Unprobed,
    /// The last probe had a receiver.
    Subscribed,
    /// The last probe had no receiver.
    Unsubscribed,
}

/// The final replies to one inbox that no receiver has, in the order they were made in, within bounds.
#[derive(Debug, Default)]
pub(super) struct InboxQueue {
    /// With the number that [`Self::remove`] takes.
    replies: VecDeque<(u64, UndeliveredReply)>,
    next_number: u64,
    bytes: usize,
    /// New replies are published directly if this is `Subscribed`, and join the queue otherwise.
    pub(super) state: InboxState,
    pub(super) delivered: u64,
    pub(super) expired: u64,
    pub(super) dropped: u64,
}

impl InboxQueue {
    pub(super) fn new(state: InboxState) -> Self {
        Self { state, ..Self::default() }
    }

    /// Adds a reply; returns whether there was room for it.
    pub(super) fn push(&mut self, reply: &UndeliveredReply) -> bool {
        let bytes = self.bytes + reply.size();
        if self.replies.len() >= REPLIES || bytes > BYTES {
            return false;
        }
        self.bytes = bytes;
        // A copy of the id, since a slice would keep the whole request.
        let request_id = reply.request_id.as_ref().map(RawJson::detached);
        self.replies.push_back((self.next_number, UndeliveredReply { request_id, ..reply.clone() }));
        self.next_number += 1;
        true
    }

    /// Returns up to `count` replies from the front, which stay in the queue.
    pub(super) fn first(&self, count: usize) -> Vec<(u64, UndeliveredReply)> {
        self.replies.iter().take(count).cloned().collect()
    }

    /// Removes a reply; returns whether it was there.
    pub(super) fn remove(&mut self, number: u64) -> bool {
        self.remove_where(|other, _| other == number) > 0
    }

    /// Removes the replies to a request; returns how many there were.
    pub(super) fn withdraw(&mut self, request_id: &str) -> usize {
        self.remove_where(|_, reply| {
            reply.request_id.as_ref().is_some_and(|id| id.as_bytes() == request_id.as_bytes())
        })
    }

    /// Removes the replies whose deadline has passed. Returns the earliest deadline of the others.
    pub(super) fn expire(&mut self, now: Instant) -> Option<Instant> {
        self.expired += self.remove_where(|_, reply| reply.deadline <= now) as u64;
        self.replies.iter().map(|(_, reply)| reply.deadline).min()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.replies.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    fn remove_where(&mut self, condition: impl Fn(u64, &UndeliveredReply) -> bool) -> usize {
        let before = self.replies.len();
        let bytes = &mut self.bytes;
        self.replies.retain(|(number, reply)| {
            let goes = condition(*number, reply);
            if goes {
                *bytes -= reply.size();
            }
            !goes
        });
        before - self.replies.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn reply(id: &str, bytes: usize) -> UndeliveredReply {
        let (message, deadline) = (Bytes::from(vec![0; bytes]), Instant::now());
        let request_id = Some(RawJson::whole(&Bytes::copy_from_slice(id.as_bytes())));
        UndeliveredReply { message, request_id, deadline, batching: Batching::Alone }
    }

    #[test]
    fn a_queue_is_bounded_in_replies_and_in_bytes() {
        let mut queue = InboxQueue::default();
        for _ in 0..REPLIES {
            assert!(queue.push(&reply("1", 0)));
        }
        assert!(!queue.push(&reply("1", 0)));
        assert_eq!(queue.len(), REPLIES);

        let mut queue = InboxQueue::default();
        assert!(queue.push(&reply("1", BYTES / 2)));
        assert!(!queue.push(&reply("2", BYTES / 2)));
        assert_eq!(queue.withdraw("1"), 1);
        assert_eq!(queue.bytes(), 0);
        assert!(queue.push(&reply("2", BYTES / 2)));
        assert!(!queue.push(&reply("3", BYTES)), "a reply of 4 MiB is never repeated");

        let long_id = "1".repeat(BYTES / 2);
        let mut queue = InboxQueue::default();
        assert!(queue.push(&reply(&long_id, 0)));
        assert!(!queue.push(&reply(&long_id, 0)), "the ID of a request counts as well");
    }

    #[test]
    fn a_reply_whose_deadline_has_passed_is_removed() {
        let (mut queue, now) = (InboxQueue::default(), Instant::now());
        for seconds in [3, 1, 2] {
            let deadline = now + Duration::from_secs(seconds);
            assert!(queue.push(&UndeliveredReply { deadline, ..reply("1", 10) }));
        }
        let last = now + Duration::from_secs(3);
        assert_eq!(queue.expire(last - Duration::from_secs(1)), Some(last));
        assert_eq!((queue.len(), queue.expired), (1, 2));
        assert_eq!(queue.expire(last), None);
        assert_eq!((queue.len(), queue.expired, queue.bytes()), (0, 3, 0));
    }
}
