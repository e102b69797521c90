//! Batches of requests, which arrive on an instance's own channel.

use daebus_caller::bus::Message;
use daebus_caller::wire::{Batch, is_batch};

/// Where an instance receives requests that are addressed to it; see [`instance_channel`](daebus_caller::wire::presence::instance_channel).
const OWN: &str = "daebus:to:";

/// Returns the requests of a batch; `None` if the message isn't one. An array on another channel is not a batch.
pub(super) fn requests(message: &Message) -> Option<Batch> {
    let may_be_batch = is_batch(&message.payload) && message.channel.starts_with(OWN);
    // An unreadable batch is reported as the unreadable message that it is.
    may_be_batch.then(|| Batch::read(&message.payload).ok()).flatten()
}
