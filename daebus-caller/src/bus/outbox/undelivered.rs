//! All final replies that no receiver has.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::in_flight::{RepliesInFlight, ReplyKey};
use super::inbox_queue::{InboxQueue, InboxState, UndeliveredReply};

/// How many bytes the queues of all inboxes may have together.
const BYTES: usize = 64 * 1024 * 1024;
/// How many inboxes are remembered as confirmed. Beyond it they are confirmed again.
const CONFIRMED: usize = 65_536;

/// The queues of undelivered replies, by inbox.
#[derive(Debug, Default)]
pub(super) struct Undelivered {
    queues: HashMap<Arc<str>, InboxQueue>,
    bytes: usize,
    /// Replies dropped since the limit of all queues was reached.
    dropped: u64,
    /// Replies that joined a queue and were never delivered, since the outbox was made.
    lost: u64,
    confirmed: Confirmed,
    in_flight: RepliesInFlight,
    /// Notified when a queue has more room or another state. Senders that wait for room listen to it.
    changed: Arc<Notify>,
}

/// The inboxes that were found subscribed since the bus's last reconnect.
#[derive(Debug, Default)]
struct Confirmed {
    reconnect: Option<Instant>,
    inboxes: HashSet<Arc<str>>,
}

/// The result of adding a reply.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Added {
    /// The reply is the first of its queue. The caller starts the queue's task.
    First(Arc<str>),
    Joined,
    /// The reply was withdrawn while it was being sent.
    Withdrawn,
    /// There is no room for the reply, but its inbox may have a receiver. The sender waits for room.
    Full,
    Dropped {
        /// No other reply was dropped before in this episode.
        is_first: bool,
    },
}

impl Undelivered {
    /// Returns whether a new reply to the inbox must join its queue. `reconnect` is the time of a reconnect that is so
    /// recent that the inbox has to be confirmed.
    pub(super) fn must_queue(&mut self, inbox: &str, reconnect: Option<Instant>) -> bool {
        if self.confirmed.reconnect != reconnect {
            self.confirmed = Confirmed { reconnect, inboxes: HashSet::new() };
        }
        let is_confirmed = reconnect.is_none() || self.confirmed.inboxes.contains(inbox);
        // Usually there is no queue, and a name takes longer to hash than the rest.
        !is_confirmed
            || !self.queues.is_empty()
                && self.queues.get(inbox).is_some_and(|queue| queue.state != InboxState::Subscribed)
    }

    /// Adds a reply to the queue of its inbox. `state` is `Unsubscribed` if the reply was published and had no receiver.
    pub(super) fn add(
        &mut self,
        inbox: &str,
        reply: &UndeliveredReply,
        state: InboxState,
        now: Instant,
    ) -> Added {
        let queue = self.queues.get_mut(inbox);
        let has_no_receiver =
            [Some(state), queue.as_ref().map(|queue| queue.state)].contains(&Some(InboxState::Unsubscribed));
        let may_wait = !has_no_receiver && reply.deadline > now;
        let size = reply.size();
        if self.bytes + size > BYTES {
            if may_wait {
                return Added::Full;
            }
            self.dropped += 1;
            return Added::Dropped { is_first: self.dropped == 1 };
        }
        if let Some(queue) = queue {
            if queue.push(reply) {
                self.bytes += size;
                return Added::Joined;
            }
            if may_wait {
                return Added::Full;
            }
            queue.dropped += 1;
            return Added::Dropped { is_first: queue.dropped == 1 };
        }
        let mut queue = InboxQueue::new(state);
        if !queue.push(reply) {
            // Larger than a queue may be; without a queue it is an episode of its own.
            return Added::Dropped { is_first: true };
        }
        let inbox: Arc<str> = inbox.into();
        self.queues.insert(Arc::clone(&inbox), queue);
        self.bytes += size;
        Added::First(inbox)
    }

    /// Returns up to `count` replies from the front of a queue, which stay there.
    pub(super) fn first(&self, inbox: &str, count: usize) -> Vec<(u64, UndeliveredReply)> {
        self.queues.get(inbox).map(|queue| queue.first(count)).unwrap_or_default()
    }

    /// Removes a reply that was delivered, or that failed with an error that a retry doesn't resolve.
    pub(super) fn settle(&mut self, inbox: &str, number: u64, is_delivered: bool) {
        let is_lost = self.change(inbox, |queue| {
            let was_there = queue.remove(number);
            if was_there {
                let count = if is_delivered { &mut queue.delivered } else { &mut queue.dropped };
                *count += 1;
            }
            was_there && !is_delivered
        });
        self.lost += u64::from(is_lost.unwrap_or_default());
    }

    /// Registers a reply that is being sent, so that [`withdraw`](Self::withdraw) finds it.
    pub(super) fn start(&mut self, key: ReplyKey) {
        self.in_flight.start(key);
    }

    /// Removes the registration of a reply.
    pub(super) fn end(&mut self, key: ReplyKey) {
        self.in_flight.end(key);
    }

    pub(super) fn is_withdrawn(&self, key: ReplyKey) -> bool {
        self.in_flight.is_withdrawn(key)
    }

    /// Removes the replies to a request, and keeps those that are being sent from being added. Returns whether there were
    /// any.
    pub(super) fn withdraw(&mut self, inbox: &str, request_id: &str, key: ReplyKey) -> bool {
        let is_in_flight = self.in_flight.withdraw(key);
        if is_in_flight {
            self.changed.notify_waiters();
        }
        let withdrawn = self.change(inbox, |queue| queue.withdraw(request_id));
        is_in_flight || withdrawn.is_some_and(|withdrawn| withdrawn > 0)
    }

    /// Sets the state of an inbox, and confirms the inbox if it is subscribed.
    pub(super) fn set_state(&mut self, inbox: &Arc<str>, state: InboxState) {
        if state == InboxState::Subscribed && self.confirmed.reconnect.is_some() {
            if self.confirmed.inboxes.len() >= CONFIRMED {
                self.confirmed.inboxes.clear();
            }
            self.confirmed.inboxes.insert(Arc::clone(inbox));
        }
        if let Some(queue) = self.queues.get_mut(inbox)
            && queue.state != state
        {
            queue.state = state;
            self.changed.notify_waiters();
        }
    }

    /// Returns the notification of room and of new states.
    pub(super) fn changed(&self) -> Arc<Notify> {
        Arc::clone(&self.changed)
    }

    /// Removes the replies of a queue whose deadline has passed. Returns the earliest deadline of the others; if the queue
    /// is empty, removes it and returns it.
    pub(super) fn expire(&mut self, inbox: &str, now: Instant) -> Result<Instant, InboxQueue> {
        let expired = self.change(inbox, |queue| {
            let before = queue.expired;
            (queue.expire(now), queue.expired - before)
        });
        let (earliest, expired) = expired.unwrap_or_default();
        self.lost += expired;
        earliest.ok_or_else(|| self.remove(inbox))
    }

    /// Removes a queue.
    pub(super) fn remove(&mut self, inbox: &str) -> InboxQueue {
        let queue = self.queues.remove(inbox).unwrap_or_default();
        self.bytes -= queue.bytes();
        self.changed.notify_waiters();
        queue
    }

    /// The number of replies that joined a queue and were never delivered.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    /// The number of inboxes with undelivered replies.
    pub(super) fn len(&self) -> usize {
        self.queues.len()
    }

    /// Ends an episode of dropped replies if there is room again; returns how many were dropped.
    pub(super) fn end_of_drops(&mut self) -> Option<u64> {
        let is_over = self.dropped > 0 && self.bytes <= BYTES / 2;
        is_over.then(|| std::mem::take(&mut self.dropped))
    }

    fn change<T>(&mut self, inbox: &str, change: impl FnOnce(&mut InboxQueue) -> T) -> Option<T> {
        let queue = self.queues.get_mut(inbox)?;
        let before = queue.bytes();
        let result = change(queue);
        let removed = before - queue.bytes();
        if removed > 0 {
            self.bytes -= removed;
            self.changed.notify_waiters();
        }
        Some(result)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::super::in_flight::ReplyKeys;
    use super::*;
    use crate::bus::outbox::Batching;
    use crate::wire::RawJson;

    const HALF: usize = 2 * 1024 * 1024;

    fn reply(bytes: usize) -> UndeliveredReply {
        let deadline = Instant::now() + Duration::from_secs(1);
        let (message, request_id) = (Bytes::from(vec![0; bytes]), RawJson::from_value(&1).ok());
        UndeliveredReply { message, request_id, deadline, batching: Batching::Alone }
    }

    fn add(undelivered: &mut Undelivered, inbox: &str, state: InboxState) -> Added {
        undelivered.add(inbox, &reply(HALF), state, Instant::now())
    }

    #[test]
    fn all_queues_together_are_bounded_and_the_drops_are_counted_by_episode() {
        let mut undelivered = Undelivered::default();
        let mut inboxes = 0;
        let is_first = loop {
            match add(&mut undelivered, &format!("caller:{inboxes}"), InboxState::Unsubscribed) {
                Added::First(_) => inboxes += 1,
                Added::Joined | Added::Withdrawn | Added::Full => panic!("each inbox has one"),
                Added::Dropped { is_first } => break is_first,
            }
        };
        assert!(is_first && inboxes == 31, "{inboxes}");
        let dropped = add(&mut undelivered, "caller:x", InboxState::Unsubscribed);
        assert_eq!(dropped, Added::Dropped { is_first: false });
        // The receiver of this inbox may exist, so its sender waits.
        assert_eq!(add(&mut undelivered, "caller:y", InboxState::Unprobed), Added::Full);
        assert_eq!(undelivered.end_of_drops(), None);
        for inbox in 0..inboxes {
            let inbox = format!("caller:{inbox}");
            let key = ReplyKeys::default().of(&inbox, "1");
            assert!(undelivered.withdraw(&inbox, "1", key));
        }
        assert_eq!(undelivered.bytes, 0);
        assert_eq!((undelivered.end_of_drops(), undelivered.end_of_drops()), (Some(2), None));
    }

    #[test]
    fn an_inbox_is_confirmed_once_for_each_reconnect() {
        let mut undelivered = Undelivered::default();
        assert!(!undelivered.must_queue("caller:a", None));
        let (first, second) = (Instant::now(), Instant::now() + Duration::from_secs(1));
        assert!(undelivered.must_queue("caller:a", Some(first)));
        undelivered.set_state(&"caller:a".into(), InboxState::Subscribed);
        assert!(!undelivered.must_queue("caller:a", Some(first)));
        assert!(undelivered.must_queue("caller:b", Some(first)));
        assert!(undelivered.must_queue("caller:a", Some(second)));
    }
}
