use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Serialize;

use daebus_caller::BusError;
use daebus_caller::bus::Outbox;
use daebus_caller::contract::Event;
use daebus_caller::wire::{Channel, encode};

use super::Extract;
use crate::handler::context::Context;
use crate::handler::failure::Failure;
use crate::handler::kind::Kind;

/// How long a broadcast waits for a bus that is away: so long that its failure makes further ones fail immediately.
const WITHIN: Duration = Outbox::OUTAGE;

/// Publishes to channels; whoever listens there hears it.
#[derive(Debug, Clone)]
pub struct Broadcast {
    outbox: Outbox,
}

impl Broadcast {
    pub(crate) fn new(outbox: Outbox) -> Self {
        Self { outbox }
    }

    /// Publishes a value, given by value or by reference, and returns how many connections received it.
    ///
    /// Python peers read objects only: give them a struct or a map.
    ///
    /// # Errors
    ///
    /// Returns an error if the channel's name is empty or reserved, if the value can't be written as JSON, or if the bus
    /// stays away for 2 s. After such an error, further sends fail immediately until the bus is back.
    pub fn send(&self, channel: &str, message: impl Serialize) -> BoxFuture<'static, Result<u64, BusError>> {
        // Written at once, so that the message need not be one that can wait in a task.
        let written = Channel::new(channel).map_err(BusError::from).and_then(|channel| {
            let json = encode(&message).map_err(|error| BusError::encode(channel.as_str(), &error))?;
            Ok((channel, json))
        });
        let outbox = self.outbox.clone();
        Box::pin(async move {
            let (channel, json) = written?;
            outbox.publish(channel.as_str(), json.into_bytes(), WITHIN).await
        })
    }
}

impl Broadcast {
    /// Publishes an event of a contract, on its channel and with its type, and returns how many connections received it.
    ///
    /// ```
    /// use daebus::prelude::*;
    ///
    /// #[contract("user_service")]
    /// pub trait Users {
    ///     #[event("user_events")]
    ///     fn user_event(event: String);
    /// }
    ///
    /// #[action("rename")]
    /// async fn rename(Payload(name): Payload<String>, events: Broadcast) -> Result<(), BoxError> {
    ///     events.send_event(UsersCaller::USER_EVENT, &name).await?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send).
    pub fn send_event<T: Serialize>(
        &self,
        event: Event<T>,
        message: &T,
    ) -> BoxFuture<'static, Result<u64, BusError>> {
        self.send(event.channel(), message)
    }
}

impl<K: Kind> Extract<K> for Broadcast {
    async fn extract(cx: &mut Context) -> Result<Self, Failure> {
        Ok(Self::new(cx.core.outbox.clone()))
    }
}
