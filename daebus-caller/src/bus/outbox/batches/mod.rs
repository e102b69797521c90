//! Publishing in batches: messages to a channel that arrive while another is in flight there are published together.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

use crate::bus::interface::Bus;
use crate::error::BusError;
use crate::wire::{BATCH_BYTES, BATCH_MESSAGES, write_batch};

/// How many publishes to one channel may be in flight, if all but the first are full batches.
const PUBLISHES: usize = 16;

/// How many idle lanes are kept, which saves creating them again for the next message.
const IDLE_LANES: usize = 256;

/// Publishes messages in batches, per channel.
///
/// A message is published at once, by the task that sends it, if nothing is in flight to its channel. Messages that
/// arrive meanwhile wait for that publish and then go out together; a full batch goes out at once. The order of the
/// messages is kept. No delay is added.
#[derive(Debug)]
pub(super) struct Batches {
    bus: Arc<dyn Bus>,
    lanes: Mutex<HashMap<Arc<str>, Lane>>,
}

/// The messages to one channel.
#[derive(Debug, Default)]
struct Lane {
    publishes: usize,
    waiting: VecDeque<WaitingMessage>,
    waiting_bytes: usize,
    /// Wakes the task that publishes the waiting messages, if there is one.
    task: Option<Arc<Notify>>,
}

#[derive(Debug)]
struct WaitingMessage {
    message: Bytes,
    outcome: oneshot::Sender<Result<u64, BusError>>,
}

impl Batches {
    pub(super) fn new(bus: Arc<dyn Bus>) -> Arc<Self> {
        Arc::new(Self { bus, lanes: Mutex::default() })
    }

    /// Publishes a message, alone or with others, and returns the number of receivers.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped while the message waits for others, the message is not published.
    pub(super) async fn publish(self: &Arc<Self>, channel: &str, message: Bytes) -> Result<u64, BusError> {
        match self.enter(channel, &message) {
            None => {
                let _publish = Publish { batches: self, channel };
                self.bus.publish(channel, message).await
            }
            // The sender is dropped only with the runtime of its task.
            Some(outcome) => outcome.await.unwrap_or(Err(BusError::Closed)),
        }
    }

    /// Starts a publish, or adds the message to those that wait and returns the receiver of its outcome.
    fn enter(
        self: &Arc<Self>,
        channel: &str,
        message: &Bytes,
    ) -> Option<oneshot::Receiver<Result<u64, BusError>>> {
        let mut lanes = self.lanes.lock();
        let Some(lane) = lanes.get_mut(channel) else {
            lanes.insert(channel.into(), Lane { publishes: 1, ..Lane::default() });
            return None;
        };
        if lane.is_idle() {
            lane.publishes = 1;
            return None;
        }
        let (outcome, receiver) = oneshot::channel();
        lane.waiting_bytes += message.len();
        lane.waiting.push_back(WaitingMessage { message: message.clone(), outcome });
        match &lane.task {
            Some(task) if lane.has_full_batch() => task.notify_one(),
            Some(_) => {}
            None => {
                let wake = Arc::new(Notify::new());
                lane.task = Some(Arc::clone(&wake));
                tokio::spawn(LaneTask { batches: Arc::clone(self), channel: channel.into(), wake }.run());
            }
        }
        Some(receiver)
    }

    fn ended(&self, channel: &str) {
        let mut lanes = self.lanes.lock();
        let lane_count = lanes.len();
        let Some(lane) = lanes.get_mut(channel) else { return };
        lane.publishes = lane.publishes.saturating_sub(1);
        match &lane.task {
            Some(task) => task.notify_one(),
            None if lane.is_idle() && lane_count > IDLE_LANES => drop(lanes.remove(channel)),
            None => {}
        }
    }
}

impl Lane {
    fn is_idle(&self) -> bool {
        self.publishes == 0 && self.waiting.is_empty()
    }

    fn has_full_batch(&self) -> bool {
        self.waiting.len() >= BATCH_MESSAGES || self.waiting_bytes >= BATCH_BYTES
    }

    /// Removes the messages of the next batch. Messages whose senders have been dropped are left out.
    fn take_batch(&mut self) -> Vec<WaitingMessage> {
        let (mut batch, mut bytes) = (Vec::with_capacity(self.waiting.len().min(BATCH_MESSAGES)), 2);
        while let Some(next) = self.waiting.front() {
            let size = next.message.len() + 1;
            let is_withdrawn = next.outcome.is_closed();
            let fits = batch.is_empty() || batch.len() < BATCH_MESSAGES && bytes + size <= BATCH_BYTES;
            if !is_withdrawn && !fits {
                break;
            }
            let Some(next) = self.waiting.pop_front() else { break };
            self.waiting_bytes -= next.message.len();
            if !is_withdrawn {
                bytes += size;
                batch.push(next);
            }
        }
        batch
    }
}

/// A publish in flight, until it is dropped.
struct Publish<'a> {
    batches: &'a Batches,
    channel: &'a str,
}

impl Drop for Publish<'_> {
    fn drop(&mut self) {
        self.batches.ended(self.channel);
    }
}

/// Publishes the messages that wait in one lane, until there are none.
struct LaneTask {
    batches: Arc<Batches>,
    channel: Arc<str>,
    wake: Arc<Notify>,
}

enum Next<'a> {
    /// A batch, and its count among the publishes in flight.
    Batch(Vec<WaitingMessage>, Publish<'a>),
    Wait,
    End,
}

impl LaneTask {
    async fn run(self) {
        // One task polls all publishes of the lane, in the order of their messages.
        let mut publishes = FuturesUnordered::new();
        loop {
            match self.next() {
                Next::Batch(batch, publish) => {
                    publishes.push(self.publish(batch, publish));
                    continue;
                }
                Next::Wait => {}
                Next::End => return,
            }
            tokio::select! {
                biased;
                Some(()) = publishes.next() => {}
                () = self.wake.notified() => {}
            }
        }
    }

    fn next(&self) -> Next<'_> {
        let mut lanes = self.batches.lanes.lock();
        let Some(lane) = lanes.get_mut(&self.channel) else { return Next::End };
        if lane.publishes == 0 || lane.publishes < PUBLISHES && lane.has_full_batch() {
            let batch = lane.take_batch();
            if !batch.is_empty() {
                lane.publishes += 1;
                // From here on: the task may be cut off before it polls the publish.
                return Next::Batch(batch, Publish { batches: &self.batches, channel: &self.channel });
            }
        }
        if !lane.is_idle() {
            return Next::Wait;
        }
        // Under this lock, so that the next message that has to wait starts another task.
        lane.task = None;
        if lanes.len() > IDLE_LANES {
            lanes.remove(&self.channel);
        }
        Next::End
    }

    async fn publish(&self, batch: Vec<WaitingMessage>, _in_flight: Publish<'_>) {
        let (messages, outcomes): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|waiting| (waiting.message, waiting.outcome)).unzip();
        let result = self.batches.bus.publish(&self.channel, write_batch(&messages)).await;
        for outcome in outcomes {
            // The sender may have been dropped meanwhile.
            let _ = outcome.send(result.clone());
        }
    }
}

impl Drop for LaneTask {
    /// Ends the messages that wait if the task was cut off, so that their senders don't wait for it.
    fn drop(&mut self) {
        let mut lanes = self.batches.lanes.lock();
        let is_own = |lane: &&mut Lane| lane.task.as_ref().is_some_and(|task| Arc::ptr_eq(task, &self.wake));
        let Some(lane) = lanes.get_mut(&self.channel).filter(is_own) else { return };
        lane.task = None;
        lane.waiting_bytes = 0;
        let waiting = std::mem::take(&mut lane.waiting);
        drop(lanes);
        drop(waiting);
    }
}
