//! Redelivery final replies until an inbox has a receiver for them.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::inbox_queue::{InboxQueue, UndeliveredReply};
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
    /// The number of inboxes with undelivered replies.
    inboxes: watch::Sender<usize>,
    /// Ends the tasks, which would otherwise keep the bus open.
    end: CancellationToken,
}

impl Redelivery {
    pub(super) fn new(publisher: Publisher, end: CancellationToken) -> Arc<Self> {
        let (undelivered, inboxes) = (Mutex::default(), watch::Sender::new(0));
        Arc::new(Self { publisher, undelivered, inboxes, end })
    }

    /// Publishes a final reply. If it has no receiver, it is repeated until its deadline, and this returns meanwhile.
    pub(super) async fn reply(
        self: &Arc<Self>,
        inbox: &str,
        reply: UndeliveredReply,
    ) -> Result<(), BusError> {
        let reconnect = self.recent_reconnect();
        if self.undelivered.lock().must_queue(inbox, reconnect) {
            self.add(inbox, reply, Duration::ZERO);
            return Ok(());
        }
        let outcome = self.publisher.publish_now(inbox, reply.message.clone(), reply.deadline).await;
        let delay = match &outcome {
            Ok(0) | Err(BusError::Unknown { .. } | BusError::Full { .. }) => FIRST_DELAY,
            Err(BusError::Away { .. }) => Duration::ZERO,
            Ok(_) | Err(_) => return outcome.map(drop),
        };
        if reply.deadline <= Instant::now() {
            return outcome.map(drop);
        }
        self.add(inbox, reply, delay);
        Ok(())
    }

    /// Stops repeating the replies to a request; returns whether there were any.
    pub(super) fn withdraw(&self, inbox: &str, request_id: &str) -> bool {
        self.undelivered.lock().withdraw(inbox, request_id)
    }

    /// Waits until every reply is delivered, or its deadline has passed.
    pub(super) async fn settled(&self) {
        // The sender is part of this value, so it is not dropped.
        let _ = self.inboxes.subscribe().wait_for(|inboxes| *inboxes == 0).await;
    }

    fn add(self: &Arc<Self>, inbox: &str, reply: UndeliveredReply, delay: Duration) {
        let added = {
            let mut undelivered = self.undelivered.lock();
            let added = undelivered.add(inbox, reply);
            self.inboxes.send_replace(undelivered.len());
            added
        };
        match added {
            Added::First(inbox) => {
                let (this, end) = (Arc::clone(self), self.end.clone());
                tokio::spawn(async move { end.run_until_cancelled(this.repeat(inbox, delay)).await });
            }
            Added::Joined | Added::Dropped { is_first: false } => {}
            Added::Dropped { is_first: true } => {
                warn!(inbox, "too many replies without a receiver; more of them are dropped");
            }
        }
    }

    /// Redelivery the replies of an inbox until none is left.
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
            Ok(()) if states.has_changed().unwrap_or(true) => return ProbeOutcome::WasAway,
            Ok(()) => {}
            Err(BusError::Closed) => return ProbeOutcome::Closed,
            Err(_) => return ProbeOutcome::NoReceiver,
        }
        if self.recent_reconnect().is_some() {
            match self.publisher.subscribers(inbox, deadline).await {
                // An account that may not ask has to rely on PUBLISH.
                Err(BusError::Refused { .. }) => {}
                Ok(receivers) if receivers > 0 => {}
                Ok(_) | Err(_) => return ProbeOutcome::NoReceiver,
            }
        }
        let mut count = 1;
        loop {
            match self.publish_first(inbox, count).await {
                BatchOutcome::Nothing => return ProbeOutcome::Delivered,
                BatchOutcome::All => self.undelivered.lock().set_open(inbox, true),
                BatchOutcome::NotAll => {
                    self.undelivered.lock().set_open(inbox, false);
                    return ProbeOutcome::NoReceiver;
                }
            }
            count = AT_ONCE;
        }
    }

    /// Publishes up to `count` replies of an inbox together.
    async fn publish_first(&self, inbox: &str, count: usize) -> BatchOutcome {
        let replies = self.undelivered.lock().first(inbox, count);
        if replies.is_empty() {
            return BatchOutcome::Nothing;
        }
        let outcomes = join_all(replies.iter().map(|(_, reply)| self.publish(inbox, reply))).await;
        let mut undelivered = self.undelivered.lock();
        let mut batch = BatchOutcome::All;
        for ((number, _), outcome) in replies.iter().zip(outcomes) {
            match outcome {
                Ok(receivers) if receivers > 0 => undelivered.settle(inbox, *number, true),
                Ok(_) => batch = BatchOutcome::NotAll,
                Err(BusError::Away { .. } | BusError::Full { .. } | BusError::Unknown { .. }) => {
                    batch = BatchOutcome::NotAll;
                }
                Err(error) => {
                    debug!(inbox, %error, "a reply can't be published");
                    undelivered.settle(inbox, *number, false);
                }
            }
        }
        batch
    }

    async fn publish(&self, inbox: &str, reply: &UndeliveredReply) -> Result<u64, BusError> {
        self.publisher.publish_now(inbox, reply.message.clone(), reply.deadline).await
    }

    /// Returns the time of the bus's last reconnect, if it is recent.
    fn recent_reconnect(&self) -> Option<Instant> {
        self.publisher.bus().last_reconnect().filter(|at| at.elapsed() < DISTRUST)
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

enum BatchOutcome {
    Nothing,
    All,
    NotAll,
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
