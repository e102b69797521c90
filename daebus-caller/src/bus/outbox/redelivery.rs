//! Repeats final replies until their inbox has a receiver.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::in_flight::{ReplyKey, ReplyKeys};
use super::inbox_queue::{InboxQueue, InboxState, UndeliveredReply};
use super::publisher::Publisher;
use super::undelivered::{Added, Undelivered};
use crate::backoff::Backoff;
use crate::error::BusError;

/// The delays between the probes of an inbox. A caller that reconnects later than the service gets its replies within
/// the maximum.
const FIRST_DELAY: Duration = Duration::from_millis(50);
const MAX_DELAY: Duration = Duration::from_secs(1);

/// How long after a reconnect the receiver count of PUBLISH isn't trusted: a monitor's pattern makes it positive before
/// the callers have restored their inboxes.
const DISTRUST: Duration = Duration::from_secs(10);

/// How many replies follow a successful probe at once.
const AT_ONCE: usize = 16;

/// Final replies to inboxes. While an inbox has undelivered replies, one task publishes the first of them as a probe;
/// new replies to the inbox wait behind it.
#[derive(Debug)]
pub(super) struct Redelivery {
    publisher: Publisher,
    undelivered: Mutex<Undelivered>,
    keys: ReplyKeys,
    /// Notified when a queue has more room or another state.
    changed: Arc<Notify>,
    /// The number of inboxes with undelivered replies.
    inboxes: watch::Sender<usize>,
    /// Ends the tasks, which would otherwise keep the bus open.
    end: CancellationToken,
}

impl Redelivery {
    pub(super) fn new(publisher: Publisher, end: CancellationToken) -> Arc<Self> {
        let (undelivered, inboxes) = (Undelivered::default(), watch::Sender::new(0));
        let changed = undelivered.changed();
        let (undelivered, keys) = (Mutex::new(undelivered), ReplyKeys::default());
        Arc::new(Self { publisher, undelivered, keys, changed, inboxes, end })
    }

    /// Publishes a final reply. If the reply has no receiver, it is repeated until its deadline, and this returns
    /// meanwhile. If the queue of an inbox that may have a receiver is full, this waits for room until the deadline.
    ///
    /// # Errors
    ///
    /// Returns the error of a reply that is not going to be repeated, and [`BusError::ReplyDropped`] if there is no room for it.
    pub(super) async fn reply(
        self: &Arc<Self>,
        inbox: &str,
        reply: UndeliveredReply,
    ) -> Result<(), BusError> {
        if !reply.fits_queue() {
            return Box::pin(self.publish_once(inbox, reply)).await;
        }
        let (sending, mut must_queue) = self.start(inbox, &reply);
        let (mut state, mut delay) = (InboxState::Unprobed, Duration::ZERO);
        loop {
            // Boxed: most replies have a receiver.
            if must_queue && Box::pin(self.add_when_room(inbox, &reply, &sending, state, delay)).await? {
                return Ok(());
            }
            let outcome = self
                .publisher
                .publish_now(inbox, reply.message.clone(), reply.deadline, reply.batching)
                .await;
            (state, delay) = match &outcome {
                Ok(0) => (InboxState::Unsubscribed, FIRST_DELAY),
                Err(BusError::Unknown { .. } | BusError::Full { .. }) => (InboxState::Unprobed, FIRST_DELAY),
                Err(BusError::Away { .. }) => (InboxState::Unprobed, Duration::ZERO),
                Ok(_) | Err(_) => return outcome.map(drop),
            };
            if reply.deadline <= Instant::now() {
                return outcome.map(drop);
            }
            must_queue = true;
        }
    }

    /// Publishes a reply that is too large to be repeated.
    async fn publish_once(&self, inbox: &str, reply: UndeliveredReply) -> Result<(), BusError> {
        match self.publisher.publish(inbox, reply.message, reply.deadline).await {
            Ok(0) => Err(dropped(inbox, "it is larger than the limit for one inbox")),
            outcome => outcome.map(drop),
        }
    }

    /// Registers a reply that is being sent. Returns whether it must join the queue of its inbox.
    fn start(&self, inbox: &str, reply: &UndeliveredReply) -> (Sending<'_>, bool) {
        let key = reply.request_id.as_ref().map(|id| self.keys.of(inbox, id.as_str()));
        // A reply whose deadline has passed is published once, whether the inbox is confirmed or not.
        let may_queue = reply.deadline > Instant::now();
        let reconnect = self.recent_reconnect();
        let mut undelivered = self.undelivered.lock();
        if let Some(key) = key {
            undelivered.start(key);
        }
        let must_queue = may_queue && undelivered.must_queue(inbox, reconnect);
        drop(undelivered);
        (Sending { undelivered: &self.undelivered, key }, must_queue)
    }

    /// Stops repeating the replies to a request; returns whether there were any.
    pub(super) fn withdraw(&self, inbox: &str, request_id: &str) -> bool {
        let key = self.keys.of(inbox, request_id);
        self.undelivered.lock().withdraw(inbox, request_id, key)
    }

    /// Returns how many replies were queued and never delivered.
    pub(super) fn lost(&self) -> u64 {
        self.undelivered.lock().lost()
    }

    /// Waits until every reply is delivered, or its deadline has passed.
    pub(super) async fn settled(&self) {
        // The sender is part of this value, so it is not dropped.
        let _ = self.inboxes.subscribe().wait_for(|inboxes| *inboxes == 0).await;
    }

    fn must_queue(&self, inbox: &str) -> bool {
        self.undelivered.lock().must_queue(inbox, self.recent_reconnect())
    }

    /// Adds a reply to the queue of its inbox. Waits for room if the inbox may have a receiver. Returns `false` if the reply
    /// was not added, since the inbox turned out to have a receiver meanwhile.
    async fn add_when_room(
        self: &Arc<Self>,
        inbox: &str,
        reply: &UndeliveredReply,
        sending: &Sending<'_>,
        state: InboxState,
        delay: Duration,
    ) -> Result<bool, BusError> {
        loop {
            // Created before the queue is looked at, so that no change after that is missed.
            let changed = self.changed.notified();
            let added = {
                let mut undelivered = self.undelivered.lock();
                // Under the lock, so that a withdrawal finds the reply either here or in the queue.
                let is_withdrawn = sending.key.is_some_and(|key| undelivered.is_withdrawn(key));
                let added = if is_withdrawn {
                    Added::Withdrawn
                } else {
                    undelivered.add(inbox, reply, state, Instant::now())
                };
                self.inboxes.send_replace(undelivered.len());
                added
            };
            match added {
                Added::First(inbox) => {
                    let (this, end) = (Arc::clone(self), self.end.clone());
                    tokio::spawn(async move { end.run_until_cancelled(this.repeat(inbox, delay)).await });
                    return Ok(true);
                }
                Added::Joined | Added::Withdrawn => return Ok(true),
                Added::Full => {}
                Added::Dropped { is_first } => {
                    if is_first {
                        warn!(inbox, "too many replies without a receiver; more of them are dropped");
                    }
                    return Err(dropped(inbox, "too many other replies wait for a receiver"));
                }
            }
            // Inboxes need no confirmation from then on.
            let trusted = self.recent_reconnect().map(|at| at + DISTRUST);
            let until = trusted.map_or(reply.deadline, |trusted| trusted.min(reply.deadline));
            let _ = timeout_at(until, changed).await;
            if reply.deadline > Instant::now() && !self.must_queue(inbox) {
                return Ok(false);
            }
        }
    }

    /// Repeats the replies to an inbox until its queue is empty.
    async fn repeat(&self, inbox: Arc<str>, mut delay: Duration) {
        let mut backoff = Backoff::new(FIRST_DELAY, MAX_DELAY);
        loop {
            let Some(earliest) = self.earliest_deadline(&inbox) else { return };
            if !delay.is_zero() {
                sleep_until(earliest.min(Instant::now() + delay)).await;
            }
            delay = match self.attempt(&inbox, earliest).await {
                ProbeOutcome::NoReceiver => backoff.next_delay(),
                ProbeOutcome::Delivered | ProbeOutcome::WasAway => {
                    backoff.reset();
                    Duration::ZERO
                }
                ProbeOutcome::Closed => {
                    let mut undelivered = self.undelivered.lock();
                    let queue = undelivered.remove(&inbox);
                    self.inboxes.send_replace(undelivered.len());
                    drop(undelivered);
                    return log(&inbox, &queue);
                }
            };
        }
    }

    /// Removes the replies of an inbox whose deadline has passed, and returns the earliest deadline of the others.
    fn earliest_deadline(&self, inbox: &str) -> Option<Instant> {
        let mut undelivered = self.undelivered.lock();
        let expired = undelivered.expire(inbox, Instant::now());
        let dropped = undelivered.end_of_drops();
        self.inboxes.send_replace(undelivered.len());
        drop(undelivered);
        if let Some(dropped) = dropped {
            warn!(dropped, "replies without a receiver have room again");
        }
        expired.map_err(|queue| log(inbox, &queue)).ok()
    }

    async fn attempt(&self, inbox: &Arc<str>, deadline: Instant) -> ProbeOutcome {
        let states = self.publisher.bus().state();
        match self.publisher.ready(deadline).await {
            Ok(()) if states.has_changed().unwrap_or(true) => {
                self.set_state(inbox, InboxState::Unprobed);
                return ProbeOutcome::WasAway;
            }
            Ok(()) => {}
            Err(BusError::Closed) => return ProbeOutcome::Closed,
            Err(_) => return ProbeOutcome::NoReceiver,
        }
        if self.recent_reconnect().is_some() {
            match self.publisher.subscribers(inbox, deadline).await {
                // An account that may not ask has to rely on PUBLISH.
                Err(BusError::Refused { .. }) => {}
                Ok(receivers) if receivers > 0 => {}
                Ok(_) => {
                    self.set_state(inbox, InboxState::Unsubscribed);
                    return ProbeOutcome::NoReceiver;
                }
                Err(_) => return ProbeOutcome::NoReceiver,
            }
        }
        let mut count = 1;
        while let Some(state) = self.publish_first(inbox, count).await {
            self.set_state(inbox, state);
            if state != InboxState::Subscribed {
                return ProbeOutcome::NoReceiver;
            }
            count = AT_ONCE;
        }
        ProbeOutcome::Delivered
    }

    fn set_state(&self, inbox: &Arc<str>, state: InboxState) {
        self.undelivered.lock().set_state(inbox, state);
    }

    /// Publishes up to `count` replies of an inbox together. Returns the new state of the inbox, or `None` if its queue is
    /// empty.
    async fn publish_first(&self, inbox: &str, count: usize) -> Option<InboxState> {
        let replies = self.undelivered.lock().first(inbox, count);
        if replies.is_empty() {
            return None;
        }
        let outcomes = join_all(replies.iter().map(|(_, reply)| self.publish(inbox, reply))).await;
        let mut undelivered = self.undelivered.lock();
        let mut state = InboxState::Subscribed;
        for ((number, _), outcome) in replies.iter().zip(outcomes) {
            match outcome {
                Ok(0) => state = InboxState::Unsubscribed,
                Ok(_) => undelivered.settle(inbox, *number, true),
                Err(BusError::Away { .. } | BusError::Full { .. } | BusError::Unknown { .. }) => {
                    if state == InboxState::Subscribed {
                        state = InboxState::Unprobed;
                    }
                }
                Err(error) => {
                    debug!(inbox, %error, "a reply can't be published");
                    undelivered.settle(inbox, *number, false);
                }
            }
        }
        Some(state)
    }

    async fn publish(&self, inbox: &str, reply: &UndeliveredReply) -> Result<u64, BusError> {
        self.publisher.publish_now(inbox, reply.message.clone(), reply.deadline, reply.batching).await
    }

    /// Returns the time of the bus's last reconnect, if it is recent.
    fn recent_reconnect(&self) -> Option<Instant> {
        self.publisher.bus().last_reconnect().filter(|at| at.elapsed() < DISTRUST)
    }
}

/// Registers a reply that is being sent, until it is dropped.
struct Sending<'a> {
    undelivered: &'a Mutex<Undelivered>,
    /// `None` for a request without an ID, whose reply can't be withdrawn.
    key: Option<ReplyKey>,
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.undelivered.lock().end(key);
        }
    }
}

/// The outcome of a probe and of the replies that followed it.
enum ProbeOutcome {
    Delivered,
    NoReceiver,
    /// The bus has just come back, so that delays start over.
    WasAway,
    Closed,
}

fn dropped(inbox: &str, reason: &str) -> BusError {
    BusError::ReplyDropped { inbox: inbox.to_owned(), reason: reason.to_owned() }
}

fn log(inbox: &str, queue: &InboxQueue) {
    let (delivered, expired, dropped) = (queue.delivered, queue.expired, queue.dropped);
    if dropped > 0 {
        warn!(inbox, delivered, expired, dropped, "replies were dropped, since the inbox had no receiver");
    } else if expired > 0 {
        debug!(inbox, delivered, expired, "the inbox had no receiver in time");
    } else {
        debug!(inbox, delivered, "replies were repeated until the inbox had a receiver");
    }
}
