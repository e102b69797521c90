//! Batches of requests, which arrive on an instance's own channel.

use daebus_caller::bus::Message;
use daebus_caller::wire::{Batch, is_batch};
use tracing::warn;

use super::episode::Incident;
use super::refusals::Refusals;

/// The beginning of the names of the instances' own channels.
const OWN: &str = "daebus:to:";

/// Calls `take_in` with each request of a batch, or with a message that isn't one. An array on another channel is no batch.
pub(super) fn for_each_request(message: &Message, refusals: &Refusals, mut take_in: impl FnMut(&Message)) {
    let may_be_batch = is_batch(&message.payload) && message.channel.starts_with(OWN);
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
