//! The way in: a subscription and the queue behind it.

use std::sync::Arc;
use std::time::Duration;

use daebus_caller::BusError;
use daebus_caller::bus::{Deliver, Queue, Subscription, Topic};
use futures_util::future::join_all;
use parking_lot::Mutex;

use crate::handler::Core;
use crate::presence::{Join, when_available};

/// How long to wait for the bus to confirm that a channel is left.
const LEAVE: Duration = Duration::from_secs(2);

/// The way in: a subscription and the queue behind it.
#[derive(Debug)]
pub(crate) struct Intake {
    subscription: Subscription,
    queue: Arc<Queue>,
}

impl Intake {
    /// Subscribes, confirmed, with a receiver that fills the queue. Waits for a bus that is away. With [`Join::WhenAvailable`] the only error is
    /// [`BusError::Closed`]: the service has stopped.
    pub(super) async fn open(
        core: &Core,
        topic: Topic,
        receiver: Arc<dyn Deliver>,
        queue: Arc<Queue>,
        join: Join,
    ) -> Result<Self, BusError> {
        let subscribing = when_available(&*core.bus, join, &topic, || {
            core.bus.subscribe(topic.clone(), Arc::clone(&receiver))
        });
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
        // Too late for this one: dropped, it ends.
        if let Some(intakes) = &mut *self.0.lock() {
            intakes.push(intake);
        }
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
        self.0.lock().take().unwrap_or_default()
    }
}
