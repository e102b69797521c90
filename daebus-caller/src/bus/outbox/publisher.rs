//! Publishing with bounds: on how long a message waits, and on how many are in flight.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::consume_budget;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::batches::Batches;
use super::outage::Outage;
use crate::bus::interface::{Bus, BusState, STALE_STATE};
use crate::error::BusError;

/// How many publishes may be in flight. Enough to keep one connection busy over any round trip (at 100,000 messages a
/// second it covers 10 ms), and few enough that a broken connection leaves few of them with an unknown outcome.
pub(super) const IN_FLIGHT: usize = 1024;

/// How long a publish must have waited before its failure makes other publishes fail at once. A publish with a shorter
/// limit doesn't show that the bus stays away for longer than others are willing to wait.
pub(super) const OUTAGE: Duration = Duration::from_secs(2);

/// Whether a message may be published together with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Batching {
    /// The receivers may not accept batches.
    Alone,
    /// Every receiver of the channel accepts batches.
    Allowed,
}

/// Publishes on a bus. Clones share the limit on publishes in flight and the record of an outage.
#[derive(Debug, Clone)]
pub(super) struct Publisher {
    bus: Arc<dyn Bus>,
    permits: Arc<Semaphore>,
    outage: Arc<Outage>,
    batches: Arc<Batches>,
}

impl Publisher {
    pub(super) fn new(bus: Arc<dyn Bus>) -> Self {
        let batches = Batches::new(Arc::clone(&bus));
        Self { bus, permits: Arc::new(Semaphore::new(IN_FLIGHT)), outage: Arc::default(), batches }
    }

    pub(super) fn bus(&self) -> &Arc<dyn Bus> {
        &self.bus
    }

    /// Publishes a message and returns the number of receivers. Waits up to `within` for a bus that is away, unless a
    /// wait of at least [`OUTAGE`] has failed already during the same outage.
    pub(super) async fn publish_or_fail(
        &self,
        channel: &str,
        message: Bytes,
        within: Duration,
    ) -> Result<u64, BusError> {
        let started = Instant::now();
        // A year stands for a duration that the clock can't represent.
        let deadline =
            started.checked_add(within).unwrap_or_else(|| started + Duration::from_secs(86_400 * 365));
        // Looked up again for each attempt: the outage may end meanwhile.
        let ready_by = || if self.outage.has_failed() { Instant::now() } else { deadline };
        let outcome = self.publish_when_ready(channel, message, deadline, ready_by).await;
        if matches!(outcome, Err(BusError::Away { .. })) && started.elapsed() >= OUTAGE {
            self.outage.fail(self.bus.state());
        }
        outcome
    }

    /// Publishes a message and returns the number of receivers. Waits until `deadline` for a bus that is away.
    pub(super) async fn publish(
        &self,
        channel: &str,
        message: Bytes,
        deadline: Instant,
    ) -> Result<u64, BusError> {
        self.publish_when_ready(channel, message, deadline, || deadline).await
    }

    /// Waits for a bus that is away until `ready_by`, and for other publishes until `deadline`.
    async fn publish_when_ready(
        &self,
        channel: &str,
        message: Bytes,
        deadline: Instant,
        ready_by: impl Fn() -> Instant,
    ) -> Result<u64, BusError> {
        loop {
            if !self.is_ready() {
                Box::pin(self.ready(ready_by())).await?;
            }
            let published = self.publish_now(channel, message.clone(), deadline, Batching::Alone);
            match published.await {
                // The bus went away after it was found ready. Nothing was sent, so another attempt is safe.
                Err(BusError::Away { .. }) if Instant::now() < deadline => {
                    sleep_until((Instant::now() + STALE_STATE).min(deadline)).await;
                }
                outcome => return outcome,
            }
        }
    }

    /// Waits until the bus is ready, at most until `deadline`, and until fewer than [`IN_FLIGHT`] publishes are in flight,
    /// without a limit. Places are given in the order they were asked for.
    pub(super) async fn place(&self, deadline: Instant) -> Result<Place<'_>, BusError> {
        loop {
            if !self.is_ready() {
                // Boxed: of many calls that wait for a place, each would have room for it.
                Box::pin(self.ready(deadline)).await?;
            }
            consume_budget().await;
            // A free permit is not one that another publish waits for.
            let permit = match self.permits.try_acquire() {
                Ok(permit) => permit,
                // Without a timer: each of many calls that wait would have room for a second one.
                Err(_) => self.permits.acquire().await.map_err(|_| BusError::Closed)?,
            };
            // A permit that is held while the bus is away would keep others from the error they are to get.
            if self.is_ready() {
                return Ok(Place { publisher: self, _permit: permit });
            }
        }
    }

    fn is_ready(&self) -> bool {
        self.bus.current_state() == BusState::Ready
    }

    /// Publishes a message and returns the number of receivers; fails immediately if the bus is away. `deadline` bounds
    /// the wait for other publishes.
    pub(super) async fn publish_now(
        &self,
        channel: &str,
        message: Bytes,
        deadline: Instant,
        batching: Batching,
    ) -> Result<u64, BusError> {
        let _permit = self.permit(deadline).await?;
        self.send(channel, message, batching).await
    }

    async fn send(&self, channel: &str, message: Bytes, batching: Batching) -> Result<u64, BusError> {
        match batching {
            Batching::Alone => self.bus.publish(channel, message).await,
            Batching::Allowed => self.batches.publish(channel, message).await,
        }
    }

    /// Returns the number of connections that are subscribed to the channel itself.
    pub(super) async fn subscribers(&self, channel: &str, deadline: Instant) -> Result<u64, BusError> {
        let _permit = self.permit(deadline).await?;
        self.bus.subscribers(channel).await
    }

    /// Waits until the bus is ready.
    pub(super) async fn ready(&self, deadline: Instant) -> Result<(), BusError> {
        let mut states = self.bus.state();
        let state = match timeout_at(deadline, states.wait_for(|state| *state != BusState::Away)).await {
            Ok(Ok(state)) => *state,
            // The bus was dropped.
            Ok(Err(_)) => BusState::Closed,
            Err(_) => BusState::Away,
        };
        match state {
            BusState::Ready => Ok(()),
            BusState::Away => Err(BusError::Away { location: self.bus.location() }),
            BusState::Closed => Err(BusError::Closed),
        }
    }

    async fn permit(&self, deadline: Instant) -> Result<SemaphorePermit<'_>, BusError> {
        consume_budget().await;
        match self.permits.try_acquire() {
            Ok(permit) => Ok(permit),
            // Boxed: of all publishes in flight, each would have room for it.
            Err(_) => Box::pin(self.next_permit(deadline)).await,
        }
    }

    async fn next_permit(&self, deadline: Instant) -> Result<SemaphorePermit<'_>, BusError> {
        match timeout_at(deadline, self.permits.acquire()).await {
            Ok(permit) => permit.map_err(|_| BusError::Closed),
            Err(_) => Err(BusError::Full { location: self.bus.location() }),
        }
    }

    #[cfg(test)]
    pub(super) fn in_flight(&self) -> usize {
        IN_FLIGHT - self.permits.available_permits()
    }
}

/// A place among the publishes in flight. It is to be used at once, because others wait for it. A message that may be
/// published with others keeps its place while it waits in its lane, for no longer than one publish takes.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    publisher: &'a Publisher,
    _permit: SemaphorePermit<'a>,
}

impl Place<'_> {
    /// Publishes a message and returns the number of receivers; fails immediately if the bus is away.
    pub(crate) async fn publish(
        self,
        channel: &str,
        message: Bytes,
        batching: Batching,
    ) -> Result<u64, BusError> {
        self.publisher.send(channel, message, batching).await
    }
}
