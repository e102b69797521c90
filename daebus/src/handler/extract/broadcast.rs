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

/// How long a broadcast waits if the bus is away. After a failure by this limit, further broadcasts fail immediately.
const WITHIN: Duration = Outbox::OUTAGE;

/// Publishes messages to channels. An argument of any handler.
///
/// ```
/// use daebus::prelude::*;
///
/// #[derive(Serialize)]
/// struct Opened {
///     door: u32,
/// }
///
/// #[action("open_door")]
/// async fn open_door(
///     Payload(door): Payload<u32>,
///     broadcast: Broadcast,
/// ) -> Result<(), BoxError> {
///     broadcast.send("doors", &Opened { door }).await?;
///     Ok(())
/// }
/// # let _ = blueprint_of!["doors"; open_door];
/// ```
#[derive(Debug, Clone)]
pub struct Broadcast {
    outbox: Outbox,
}

impl Broadcast {
    pub(crate) fn new(outbox: Outbox) -> Self {
        Self { outbox }
    }

    /// Publishes a value, passed by value or by reference. Returns the number of connections that received it.
    ///
    /// Python peers accept objects only: pass a struct or a map to them.
    ///
    /// # Errors
    ///
    /// Returns an error if the name of the channel is empty or reserved, if the value can't be serialized as JSON, or if the bus
    /// is away for 2 s. After an outage of 2 s, further sends fail immediately until the bus is back.
    pub fn send(&self, channel: &str, message: impl Serialize) -> BoxFuture<'static, Result<u64, BusError>> {
        // Serialized before the future, so that the message doesn't have to be `Send` or `'static`.
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
    /// Publishes an event of a contract, on its channel and with its payload type. Returns the number of connections that
    /// received it.
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
    /// async fn rename(
    ///     Payload(name): Payload<String>,
    ///     events: Broadcast,
    /// ) -> Result<(), BoxError> {
    ///     events.send_event(UsersCaller::USER_EVENT, &name).await?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the errors of [`send`](Self::send).
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
