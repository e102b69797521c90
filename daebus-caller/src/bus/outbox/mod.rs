//! Publishing: every message that is not a subscription's goes through an outbox.
//!
//! `publisher` limits how long a publish waits and how many are in flight; `outage` makes publishes fail immediately
//! after one has timed out while the bus is away. `batches` publishes several messages to one channel together. `redelivery` repeats the final replies that reached no receiver:
//! `inbox_queue` holds the replies to one inbox, `undelivered` those to all inboxes, and `in_flight` registers the
//! replies that are being sent.

mod batches;
mod in_flight;
mod inbox_queue;
mod outage;
mod publisher;
#[cfg(test)]
mod puppet;
mod redelivery;
#[cfg(test)]
mod tests;
mod undelivered;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use self::inbox_queue::UndeliveredReply;
pub use self::publisher::Batching;
pub(crate) use self::publisher::Place;
use self::publisher::Publisher;
use self::redelivery::Redelivery;
use super::interface::Bus;
use crate::error::BusError;
use crate::wire::RawJson;

/// Publishes on a [`Bus`], within bounds. Clones share the bounds and the queues of undelivered replies. Dropping the
/// last clone ends the repeats of final replies.
#[derive(Debug, Clone)]
pub struct Outbox(Arc<OutboxState>);

#[derive(Debug)]
struct OutboxState {
    publisher: Publisher,
    redelivery: Arc<Redelivery>,
    /// Final replies whose error was returned.
    failed: AtomicU64,
    _end: DropGuard,
}

impl Outbox {
    /// How long a publish must have waited for a bus that is away before further publishes fail immediately. A publish that
    /// is given less time doesn't show that the bus stays away for longer than others are willing to wait.
    pub const OUTAGE: Duration = publisher::OUTAGE;

    /// Creates the outbox of `bus`.
    pub fn new(bus: Arc<dyn Bus>) -> Self {
        let (publisher, end) = (Publisher::new(bus), CancellationToken::new());
        let redelivery = Redelivery::new(publisher.clone(), end.clone());
        Self(Arc::new(OutboxState {
            publisher,
            redelivery,
            failed: AtomicU64::new(0),
            _end: end.drop_guard(),
        }))
    }

    /// The bus itself.
    pub fn bus(&self) -> &Arc<dyn Bus> {
        self.0.publisher.bus()
    }

    /// Publishes a message and returns how many connections received it. Messages of one task stay in order.
    ///
    /// # Errors
    ///
    /// Returns [`BusError::Away`] if the bus is away for all of `within`, and immediately if an earlier publish has waited
    /// for at least [`OUTAGE`](Self::OUTAGE) without success and the bus is still away. Returns [`BusError::Full`] if too many publishes are in flight
    /// for all of `within`, [`BusError::Closed`] immediately if the bus is closed, and the errors of [`Bus::publish`].
    pub async fn publish(&self, channel: &str, message: Bytes, within: Duration) -> Result<u64, BusError> {
        self.0.publisher.publish_or_fail(channel, message, within).await
    }

    /// Waits until a message can be published without a further wait, so that the message needn't be written before.
    /// Places are given in the order they were asked for, among all publishes.
    ///
    /// # Errors
    ///
    /// Returns [`BusError::Away`] if the bus is away until `deadline`, and [`BusError::Closed`] if the bus is closed. The wait
    /// for other publishes has no limit: the caller applies its own.
    pub(crate) fn place(
        &self,
        deadline: Instant,
    ) -> impl Future<Output = Result<Place<'_>, BusError>> + Send {
        self.0.publisher.place(deadline)
    }

    /// Publishes an update of a request that is in progress, or its `$cancel`. Unlike [`publish`](Self::publish), it waits until `deadline` for
    /// a bus that is away, whatever other publishes have found.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish).
    pub async fn progress(&self, channel: &str, message: Bytes, deadline: Instant) -> Result<(), BusError> {
        self.0.publisher.publish(channel, message, deadline).await.map(drop)
    }

    /// Publishes the final reply to a request. `batching` says whether the request's inbox accepts batches.
    ///
    /// A reply to the inbox of a caller is repeated with backoff while it has no receiver, an unknown outcome, or can't be
    /// sent: until `deadline`, or until it is [withdrawn](Self::withdraw). The repeats go on after this has returned. A
    /// caller ignores the replies to a call that isn't in flight, so receiving one twice does no harm. A reply to another
    /// channel, or in a Redis Cluster, whose receiver counts cover one node only, waits for a bus that is away, and is not
    /// repeated.
    ///
    /// The number and the bytes of the replies that are repeated are limited. At the limit, this waits for room until
    /// `deadline` while the inbox may have a receiver. A reply to an inbox without a receiver is dropped.
    ///
    /// # Errors
    ///
    /// Returns the error of a reply that is not going to be repeated. A dropped reply is [`BusError::ReplyDropped`].
    pub async fn reply(
        &self,
        channel: &str,
        message: Bytes,
        request_id: Option<&RawJson>,
        deadline: Instant,
        batching: Batching,
    ) -> Result<(), BusError> {
        let sent = if channel.starts_with("caller:") && !self.bus().counts_are_partial() {
            let request_id = request_id.cloned();
            self.0
                .redelivery
                .reply(channel, UndeliveredReply { message, request_id, deadline, batching })
                .await
        } else {
            // Boxed: most replies go to callers.
            Box::pin(self.0.publisher.publish(channel, message, deadline)).await.map(drop)
        };
        sent.inspect_err(|_| {
            self.0.failed.fetch_add(1, Ordering::Relaxed);
        })
    }

    /// Returns how many final replies were not delivered: those for which [`reply`](Self::reply) failed, and those whose
    /// deadline passed while they were being repeated.
    pub fn lost_replies(&self) -> u64 {
        self.0.failed.load(Ordering::Relaxed) + self.0.redelivery.lost()
    }

    /// Stops repeating the replies to a request, whose ID is given as JSON. A reply that is being sent is not repeated
    /// either. Returns whether there were any.
    pub fn withdraw(&self, channel: &str, request_id: &str) -> bool {
        self.0.redelivery.withdraw(channel, request_id)
    }

    /// Waits until no final reply is being repeated.
    pub async fn settled(&self) {
        self.0.redelivery.settled().await;
    }
}
