//! Sends the messages of one side of a session.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep, timeout_at};

use crate::bus::{Batching, Outbox, Place};
use crate::error::BusError;
use crate::wire::{SessionAddress, SessionMessage};

/// The delay before a bus that reported itself ready, but had no connection, is used again.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Sends the messages of one side of a session.
#[derive(Debug)]
pub struct Transport {
    /// Publishes the messages.
    pub outbox: Outbox,
    /// The inbox of the caller, or the channel of the instance.
    pub channel: Arc<str>,
    /// Whether the receiver accepts batches.
    pub batching: Batching,
    /// How the messages name the session.
    pub address: SessionAddress,
}

impl Transport {
    /// Writes a message.
    pub(super) fn write(&self, message: &SessionMessage) -> Bytes {
        self.address.write(message)
    }

    /// Publishes a message; `write` is called when it can be sent at once. Returns whether it may have a receiver. Waits
    /// until `deadline` for a bus that is away.
    ///
    /// # Errors
    ///
    /// If the message was certainly not sent.
    pub(super) async fn publish(
        &self,
        deadline: Instant,
        write: impl FnOnce() -> Bytes,
    ) -> Result<bool, BusError> {
        let mut place = self.place(deadline).await?;
        let message = write();
        loop {
            match place.publish(&self.channel, message.clone(), self.batching).await {
                Ok(receivers) => return Ok(receivers > 0 || self.outbox.bus().counts_are_partial()),
                // The receiver notices if the message is missing.
                Err(BusError::Unknown { .. }) => return Ok(true),
                Err(BusError::Away { .. }) if Instant::now() + LOOK_AGAIN < deadline => {
                    sleep(LOOK_AGAIN).await;
                    place = self.place(deadline).await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn place(&self, deadline: Instant) -> Result<Place<'_>, BusError> {
        match timeout_at(deadline, self.outbox.place(deadline)).await {
            Ok(place) => place,
            Err(_) => Err(BusError::Full { location: self.outbox.bus().location() }),
        }
    }
}
