//! The buses: one list of statements for each, failures of the server, the caller and the cache on a real Redis, and the
//! wire format.

#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod cache_redis;
mod caller_faults;
mod caller_instances;
mod caller_redis;
mod conformance;
mod coordination;
mod faults;
mod names;
mod wire_vectors;

use std::sync::Arc;

use daebus_caller::bus::{Bus, Message, Queue, QueueLimits, QueueReceiver, Subscription, Topic};
use daebus_tests::within;

/// Subscribes to a topic with a queue that holds everything a test sends.
async fn listen(bus: &Arc<dyn Bus>, topic: &str) -> (Subscription, QueueReceiver) {
    let (queue, receiver) = Queue::drop_oldest(QueueLimits { messages: 100_000, bytes: 1 << 30 });
    (bus.subscribe(Topic::parse(topic), queue).await.unwrap(), receiver)
}

/// Waits for the next message of a queue.
async fn next(receiver: &mut QueueReceiver) -> Message {
    within(receiver.recv()).await.unwrap()
}
