use std::time::Duration;

use serde::Serialize;

use daebus_caller::BusError;
use daebus_caller::bus::Outbox;
use daebus_caller::wire::{Channel, encode};

use super::Extract;
use crate::context::kind::Kind;
use crate::context::{Context, Failure};

/// How long a broadcast waits for a bus that is away.
const WITHIN: Duration = Duration::from_secs(2);

/// Publishes to channels; whoever listens there hears it.
#[derive(Debug, Clone)]
pub struct Broadcast {
    outbox: Outbox,
}

impl Broadcast {
    /// Publishes a value and returns how many connections received it.
    ///
    /// Python peers read objects only: give them a struct or a map.
    ///
    /// # Errors
    ///
    /// When the channel's name is empty or reserved, the value can't be written as JSON, or the bus stays away for
    /// 2 s. The next send works as soon as the bus is back.
    pub async fn send<T: Serialize + ?Sized>(&self, channel: &str, message: &T) -> Result<u64, BusError> {
        let channel = Channel::new(channel)?;
        let json = encode(message)
            .map_err(|error| BusError::Encode { channel: channel.to_string(), reason: error.to_string() })?;
        self.outbox.publish(channel.as_str(), json.as_bytes().clone(), WITHIN).await
    }
}

impl<K: Kind> Extract<K> for Broadcast {
    async fn extract(cx: &mut Context) -> Result<Self, Failure> {
        Ok(Self { outbox: cx.core.outbox.clone() })
    }
}
