//! Batches of requests, which arrive on an instance's own channel.

use daebus_caller::bus::Message;
use daebus_caller::wire::presence::is_instance_channel;
use daebus_caller::wire::{Batch, is_batch};
use tracing::warn;

use super::episode::Incident;
use super::refusals::Refusals;

/// Calls `take_in` with each request of a batch, or with a message that isn't one. An array on another channel is no batch.
pub(super) fn for_each_request(message: &Message, refusals: &Refusals, mut take_in: impl FnMut(&Message)) {
    let may_be_batch = is_batch(&message.payload) && is_instance_channel(&message.channel);
    // An unreadable batch is reported as the unreadable message that it is.
    let Some(batch) = may_be_batch.then(|| Batch::read(&message.payload).ok()).flatten() else {
        return take_in(message);
    };
    if batch.dropped > 0 && refusals.count(Incident::Unreadable) {
        let channel = &*message.channel;
        warn!(channel, dropped = batch.dropped, "batch too long; further ones are counted");
    }
    for payload in batch.messages {
        take_in(&Message { payload, ..message.clone() });
    }
}
