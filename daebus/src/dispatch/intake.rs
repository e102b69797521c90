//! The way in: a subscription and the queue behind it.

use std::sync::Arc;
use std::time::Duration;

use daebus_caller::__private::Backoff;
use daebus_caller::BusError;
use daebus_caller::bus::{Bus, BusState, Queue, QueueMeter, Subscription, Topic};
use futures_util::future::join_all;
use parking_lot::Mutex;
use tracing::{error, info};

use crate::handler::Core;

/// The delay after the first refusal, and the longest one.
const FIRST_DELAY: Duration = Duration::from_millis(500);
const MAX_DELAY: Duration = Duration::from_secs(30);

/// How soon to look again when the bus went away right after it came.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// What to do if the bus is away or refuses the subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Join {
    /// Wait for the bus, and return a refusal.
    UnlessRefused,
    /// Retry until the service stops.
    WhenAvailable,
}

/// How long to wait for the bus to confirm that a channel is left.
const LEAVE: Duration = Duration::from_secs(2);

/// The way in: a subscription and the queue behind it.
#[derive(Debug)]
pub(crate) struct Intake {
    subscription: Subscription,
    queue: Arc<Queue>,
}

impl Intake {
    /// Subscribes, confirmed. Waits for a bus that is away. With [`Join::WhenAvailable`] the only error is
    /// [`BusError::Closed`]: the service has stopped.
    pub(super) async fn open(
        core: &Core,
        topic: Topic,
        queue: Arc<Queue>,
        join: Join,
    ) -> Result<Self, BusError> {
        let subscribing = subscribe_when_available(&*core.bus, topic, &queue, join);
        let subscription = match join {
            Join::UnlessRefused => subscribing.await?,
            Join::WhenAvailable => {
                tokio::select! {
                    biased;
                    () = core.shutdown.requested() => return Err(BusError::Closed),
                    subscription = subscribing => subscription?,
                }
            }
        };
        Ok(Self { subscription, queue })
    }

    /// Leaves the channel. What is sent until the bus knows, and what waits already, is still handled.
    pub(crate) async fn leave(self) {
        if tokio::time::timeout(LEAVE, self.subscription.leave()).await.is_err() {
            tracing::debug!("the bus has not confirmed the end of the subscription in time");
        }
        self.queue.close();
    }
}

/// Subscribes as soon as the bus is connected and accepts the subscription. Logs the first refusal and its end, unless
/// a refusal is an error.
async fn subscribe_when_available(
    bus: &dyn Bus,
    topic: Topic,
    queue: &Arc<Queue>,
    join: Join,
) -> Result<Subscription, BusError> {
    let mut states = bus.state();
    let (mut backoff, mut refused) = (Backoff::new(FIRST_DELAY, MAX_DELAY).without_jitter(), false);
    loop {
        let settled = states.wait_for(|state| *state != BusState::Away).await.map(|state| *state);
        if !matches!(settled, Ok(BusState::Ready)) {
            return Err(BusError::Closed);
        }
        match bus.subscribe(topic.clone(), queue.clone()).await {
            Ok(subscription) => {
                if refused {
                    info!(%topic, "subscription accepted after retrying");
                }
                return Ok(subscription);
            }
            Err(BusError::Closed) => return Err(BusError::Closed),
            Err(BusError::Away { .. } | BusError::Unknown { .. }) => tokio::time::sleep(LOOK_AGAIN).await,
            Err(error) if join == Join::UnlessRefused => return Err(error),
            Err(error) => {
                if !refused {
                    error!(%topic, %error, "subscription refused, retrying with backoff");
                }
                refused = true;
                tokio::time::sleep(backoff.next_delay()).await;
            }
        }
    }
}

/// The ways in of a service: those that were opened late too, but none once they were left.
#[derive(Debug, Clone)]
pub(crate) struct Intakes {
    open: Arc<Mutex<Option<Vec<Intake>>>>,
    /// Of the queues behind all of them, those that were left included.
    meters: Arc<Mutex<Vec<QueueMeter>>>,
}

impl Intakes {
    /// None yet.
    pub(crate) fn open() -> Self {
        Self { open: Arc::new(Mutex::new(Some(Vec::new()))), meters: Arc::default() }
    }

    /// Keeps one until all are left.
    pub(crate) fn keep(&self, intake: Intake) {
        let meter = intake.queue.meter();
        // Too late for this one: dropped, it ends.
        if let Some(intakes) = &mut *self.open.lock() {
            intakes.push(intake);
        }
        let mut meters = self.meters.lock();
        // Two subscriptions may share a queue.
        if !meters.iter().any(|other| other.is_same(&meter)) {
            meters.push(meter);
        }
    }

    /// Returns how many messages wait in the queues, and how many found them full.
    pub(crate) fn traffic(&self) -> (usize, u64) {
        let meters = self.meters.lock();
        (meters.iter().map(QueueMeter::len).sum(), meters.iter().map(QueueMeter::dropped).sum())
    }

    /// Leaves all, each in order; one that is yet to come ends at once.
    pub(crate) async fn leave(&self) {
        join_all(self.take().into_iter().map(Intake::leave)).await;
    }

    /// Ends all at once.
    pub(crate) fn cut_off(&self) {
        drop(self.take());
    }

    fn take(&self) -> Vec<Intake> {
        self.open.lock().take().unwrap_or_default()
    }
}
