//! The way in: a subscription and the queue behind it.

use std::sync::Arc;

use daebus_caller::BusError;
use daebus_caller::bus::{Bus, Queue, Subscription, Topic};

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

    /// Leaves the channel. What waits already is still handled.
    pub(crate) fn leave(self) {
        drop(self.subscription);
        self.queue.close();
    }
}
