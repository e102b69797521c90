//! The subscription to the service's channel, which ends with its connection.

use std::sync::Arc;

use daebus_caller::BusError;
use daebus_caller::bus::{Bus, Deliver, Message, Subscription, Topic};
use parking_lot::Mutex;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::debug;

use super::step::STEP;

/// The subscription to the service's channel. It is made last when an instance joins, and the bus doesn't restore it after a
/// reconnect: the instance announces itself again before.
#[derive(Debug, Default)]
pub(super) struct Door(Mutex<DoorState>);

#[derive(Debug, Default)]
struct DoorState {
    open: Option<OpenDoor>,
    /// Whether the instance has left the channel and doesn't subscribe again.
    is_closed: bool,
}

#[derive(Debug)]
struct OpenDoor {
    subscription: Subscription,
    /// Cancelled when the subscription has ended.
    ended: CancellationToken,
}

/// The receiver of one subscription. The bus drops it when the subscription ends.
struct Receiver {
    intake: Arc<dyn Deliver>,
    _ended: DropGuard,
}

impl Deliver for Receiver {
    fn deliver(&self, message: Message) {
        self.intake.deliver(message);
    }
}

impl Door {
    pub(super) fn is_open(&self) -> bool {
        self.0.lock().open.as_ref().is_some_and(|door| !door.ended.is_cancelled())
    }

    /// Returns whether the instance has left the channel and doesn't subscribe again.
    pub(super) fn is_closed(&self) -> bool {
        self.0.lock().is_closed
    }

    /// Subscribes, unless the instance is subscribed or has left the channel.
    pub(super) async fn open(
        &self,
        bus: &dyn Bus,
        channel: Arc<str>,
        intake: Arc<dyn Deliver>,
    ) -> Result<(), BusError> {
        if self.is_open() || self.is_closed() {
            return Ok(());
        }
        let ended = CancellationToken::new();
        let receiver = Receiver { intake, _ended: ended.clone().drop_guard() };
        let subscription = bus.subscribe_once(Topic::Channel(channel), Arc::new(receiver)).await?;
        let mut state = self.0.lock();
        let before =
            if state.is_closed { None } else { state.open.replace(OpenDoor { subscription, ended }) };
        drop(state);
        drop(before);
        Ok(())
    }

    /// Leaves the channel and doesn't subscribe again. Messages that are published before the bus confirms the end of the
    /// subscription are still delivered.
    pub(super) async fn leave(&self) {
        let open = self.take();
        if let Some(OpenDoor { subscription, .. }) = open
            && timeout(STEP, subscription.leave()).await.is_err()
        {
            debug!("the bus did not confirm the end of the subscription in time");
        }
    }

    /// Leaves the channel immediately and doesn't subscribe again.
    pub(super) fn close(&self) {
        drop(self.take());
    }

    fn take(&self) -> Option<OpenDoor> {
        let mut state = self.0.lock();
        state.is_closed = true;
        state.open.take()
    }
}
