//! The `$cancel`s that wait in the intake's queue, behind the requests that they cancel.

use std::collections::HashMap;

use daebus_caller::bus::Message;

use super::cancellations::{RequestKey, cancelled_key, key_of};
use crate::handler::Envelope;

/// The bytes that are in every `$cancel` of ours. One that is written with escapes is applied in its turn.
const ACTION: &[u8] = b"\"$cancel\"";

/// More bytes than a `$cancel` has, so that large payloads are not searched.
const LARGEST: usize = 4096;

/// The `$cancel`s among the messages that were taken from the queue together.
#[derive(Debug, Default)]
pub(super) struct WaitingCancels {
    /// The position of the last `$cancel` of each request.
    positions: HashMap<RequestKey, usize>,
}

impl WaitingCancels {
    pub(super) fn among(messages: &[Message]) -> Self {
        let cancels = messages.iter().enumerate().filter_map(|(position, message)| {
            let may_be_one = message.payload.len() <= LARGEST
                && message.payload.windows(ACTION.len()).any(|bytes| bytes == ACTION);
            if !may_be_one {
                return None;
            }
            let envelope = Envelope::of_request(message).ok()?;
            let is_cancel = envelope.action.as_deref() == Some("$cancel");
            Some((cancelled_key(&envelope).filter(|_| is_cancel)?, position))
        });
        Self { positions: cancels.collect() }
    }

    /// The requests that are cancelled.
    pub(super) fn keys(&self) -> impl Iterator<Item = &RequestKey> {
        self.positions.keys()
    }

    /// Whether a `$cancel` waits behind the request at `position`.
    pub(super) fn covers(&self, position: usize, request: &Envelope) -> bool {
        // Most batches have none, and a key takes two allocations.
        !self.positions.is_empty()
            && key_of(request)
                .and_then(|key| self.positions.get(&key))
                .is_some_and(|cancel| *cancel > position)
    }
}
