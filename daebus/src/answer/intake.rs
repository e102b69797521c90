//! The way in: a subscription and the queue behind it.

use std::sync::Arc;
use std::time::Duration;

use daebus_caller::BusError;
use daebus_caller::bus::{Bus, Queue, Subscription, Topic};

/// How long to wait for the bus to confirm that a channel is left.
const LEAVE: Duration = Duration::from_secs(2);

/// The way in: a subscription and the queue behind it.
#[derive(Debug)]
pub(crate) struct Intake {
    subscription: Subscription,
    queue: Arc<Queue>,
}

impl Intake {
    /// Subscribes, confirmed.
    pub(super) async fn open(bus: &dyn Bus, topic: Topic, queue: Arc<Queue>) -> Result<Self, BusError> {
        let subscription = bus.subscribe(topic, queue.clone()).await?;
        Ok(Self { subscription, queue })
    }

    /// Leaves the channel. What is sent until the bus knows, and what waits already, is still handled.
    pub(crate) async fn leave(self) {
        if tokio::time::timeout(LEAVE, self.subscription.leave()).await.is_err() {
            tracing::debug!("the bus doesn't say that it has let us go");
        }
        self.queue.close();
    }
}
