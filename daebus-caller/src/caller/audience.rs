//! The subscribers of a service's channel, distinguished from monitors that receive everything.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::queries::{Count, SharedQueries};
use crate::bus::Bus;
use crate::error::BusError;
use crate::wire::{Headers, RawJson, RequestWriter, ServiceName};

/// How long a request goes unanswered before the bus is asked whether monitors alone received it.
pub(super) const SILENCE: Duration = Duration::from_millis(250);

/// How long after a reconnect services may still be restoring their subscriptions.
const RECOVERY: Duration = Duration::from_secs(10);

/// Queries for the subscribers of a channel, shared by all calls of a link.
#[derive(Debug)]
pub(super) struct Audience {
    bus: Arc<dyn Bus>,
    subscribers: SharedQueries,
    pings: SharedQueries,
}

impl Audience {
    pub(super) fn new(bus: Arc<dyn Bus>) -> Self {
        // Calls ask that long after their request, so one query answers all calls whose requests went out before it.
        Self { bus, subscribers: SharedQueries::new(SILENCE), pings: SharedQueries::new(SILENCE) }
    }

    /// Returns whether the bus reconnected so recently that services may not have.
    pub(super) fn is_recovering(&self) -> bool {
        self.bus.last_reconnect().is_some_and(|at| at.elapsed() < RECOVERY)
    }

    /// Returns whether certainly nothing but monitors is subscribed to the channel.
    pub(super) async fn is_empty(&self, channel: &str) -> bool {
        self.empty_since(channel, Instant::now()).await.is_some()
    }

    /// Returns, after a silence, whether nothing but monitors is subscribed to an instance's channel any more, to which a
    /// request was published at `published`.
    pub(super) async fn has_left(&self, channel: &str, published: Instant) -> bool {
        self.empty_since(channel, published).await.is_some()
    }

    /// Returns, after a silence, whether the `receivers` of a request that was published at `published` were monitors only.
    ///
    /// A monitor's `PSUBSCRIBE *` counts as a receiver. That nothing is subscribed to the channel itself now doesn't prove
    /// enough either: a service that drains has left its channel and still answers. So a ping is published, which
    /// monitors alone can receive. If it has fewer receivers than the request had, a service has left in between and
    /// may still answer.
    pub(super) async fn was_empty(&self, service: &ServiceName, receivers: u64, published: Instant) -> bool {
        // A service and a monitor that come and go in an outage can balance in the counts.
        !self.is_recovering() && self.monitors_are_left(service, receivers, published).await
    }

    /// Returns whether monitors alone received a request that had `receivers` and was published at `published`.
    async fn monitors_are_left(&self, service: &ServiceName, receivers: u64, published: Instant) -> bool {
        let Some(since) = self.empty_since(service.as_str(), published).await else { return false };
        let pinged = self.pings.ask(service.as_str(), since, |channel| {
            let (bus, ping) = (Arc::clone(&self.bus), ping(service));
            async move { bus.publish(&channel, ping).await }
        });
        pinged.await.is_ok_and(|pinged| pinged.value >= receivers)
    }

    /// Returns how many connections are subscribed to the channel itself, by a query that was sent at `since` or later.
    pub(super) async fn subscribers(&self, channel: &str, since: Instant) -> Result<Count, BusError> {
        let counted = self.subscribers.ask(channel, since, |channel| {
            let bus = Arc::clone(&self.bus);
            async move { bus.subscribers(&channel).await }
        });
        counted.await
    }

    /// Returns when the bus reported no subscriber, by a query that was sent at `since` or later.
    async fn empty_since(&self, channel: &str, since: Instant) -> Option<Instant> {
        match self.subscribers(channel, since).await {
            Ok(count) => (count.value == 0).then_some(count.at),
            Err(error) => {
                tracing::debug!(channel, "the subscribers could not be counted: {error}");
                None
            }
        }
    }
}

/// A request that a service ignores.
fn ping(service: &ServiceName) -> bytes::Bytes {
    let ping = RequestWriter {
        action: "$ping",
        payload: &RawJson::empty_object(),
        reply_to: None,
        request_id: None,
        service: service.as_str(),
        headers: &Headers::new(),
        timeout: None,
        accepts: &[],
    };
    ping.write()
}
