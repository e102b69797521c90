//! The way in: a subscription and the queue behind it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use daebus_caller::BusError;
use daebus_caller::bus::{Bus, BusState, Queue, Subscription, Topic};
use tracing::{error, info};

use crate::context::Core;

/// The rest after the first refusal; it doubles with each, up to [`LONGEST_REST`].
const FIRST_REST: Duration = Duration::from_millis(500);
const LONGEST_REST: Duration = Duration::from_secs(30);

/// How soon to look again when the bus went away right after it came.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Whether a bus that is away, or refuses, is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Join {
    /// No: it is an error.
    Now,
    /// Yes, until the service stops.
    AtLast,
}

/// The way in: a subscription and the queue behind it.
#[derive(Debug)]
pub(crate) struct Intake {
    subscription: Subscription,
    queue: Arc<Queue>,
}

impl Intake {
    /// Subscribes, confirmed. With [`Join::AtLast`] the only error is [`BusError::Closed`]: the service has stopped.
    pub(super) async fn open(
        core: &Core,
        topic: Topic,
        queue: Arc<Queue>,
        join: Join,
    ) -> Result<Self, BusError> {
        let subscription = match join {
            Join::Now => core.bus.subscribe(topic, queue.clone()).await?,
            Join::AtLast => {
                tokio::select! {
                    biased;
                    () = core.shutdown.requested() => return Err(BusError::Closed),
                    subscription = subscribe_at_last(&*core.bus, topic, &queue) => subscription?,
                }
            }
        };
        Ok(Self { subscription, queue })
    }

    /// Leaves the channel. What waits already is still handled.
    pub(crate) fn leave(self) {
        drop(self.subscription);
        self.queue.close();
    }
}

/// Subscribes as soon as the bus is there and lets us. A refusal is said once, and once that it is over.
async fn subscribe_at_last(
    bus: &dyn Bus,
    topic: Topic,
    queue: &Arc<Queue>,
) -> Result<Subscription, BusError> {
    let mut states = bus.state();
    let (mut rest, mut refused) = (FIRST_REST, false);
    loop {
        let settled = states.wait_for(|state| *state != BusState::Away).await.map(|state| *state);
        if !matches!(settled, Ok(BusState::Ready)) {
            return Err(BusError::Closed);
        }
        match bus.subscribe(topic.clone(), queue.clone()).await {
            Ok(subscription) => {
                if refused {
                    info!(%topic, "the bus lets us listen after all");
                }
                return Ok(subscription);
            }
            Err(BusError::Closed) => return Err(BusError::Closed),
            Err(BusError::Away { .. } | BusError::Unknown { .. }) => tokio::time::sleep(LOOK_AGAIN).await,
            Err(error) => {
                if !refused {
                    error!(%topic, %error, "the channel can't be listened to; it is tried again until it can");
                }
                refused = true;
                tokio::time::sleep(rest).await;
                rest = rest.saturating_mul(2).min(LONGEST_REST);
            }
        }
    }
}

/// The ways in of a service: those that were opened late too, but none once they were left.
#[derive(Debug, Clone)]
pub(crate) struct Intakes(Arc<Mutex<Option<Vec<Intake>>>>);

impl Intakes {
    /// None yet.
    pub(crate) fn open() -> Self {
        Self(Arc::new(Mutex::new(Some(Vec::new()))))
    }

    /// Keeps one until all are left.
    pub(crate) fn keep(&self, intake: Intake) {
        match &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(intakes) => intakes.push(intake),
            None => intake.leave(),
        }
    }

    /// Leaves all, and each that is yet to come.
    pub(crate) fn leave(&self) {
        let intakes = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        intakes.into_iter().flatten().for_each(Intake::leave);
    }
}
