//! Broadcasts: a listener handles the messages of its channel in order, one at a time unless it declares a concurrency.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use daebus_caller::BoxError;
use daebus_caller::bus::{Message, Queue, QueueLimits, QueueReceiver, Topic};
use daebus_caller::deadline::Deadline;
use daebus_caller::wire::{FaultCode, beginning};
use parking_lot::Mutex;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::HandlerLimits;
use super::intake::Intake;
use super::refusals::QUIET;
use crate::handler::{Context, Core, Endpoint, Envelope, Invocation, Report};
use crate::lease::{LeaseHold, Singleton};
use crate::presence::Join;
use crate::runtime::Workers;

/// Subscribes one listener, confirmed, and runs it until its intake is left and its queue is empty, or until it is cut
/// off: then what waits in its queue isn't handled any more.
pub(crate) async fn listen(
    core: Arc<Core>,
    topic: Topic,
    endpoint: Arc<Endpoint>,
    limits: HandlerLimits,
    workers: Workers,
    (join, cut): (Join, CancellationToken),
) -> Result<Intake, daebus_caller::BusError> {
    let queue_limits = QueueLimits { bytes: limits.listener_bytes, ..QueueLimits::default() };
    let (queue, receiver) = Queue::drop_oldest_of(endpoint.definition.source.to_string(), queue_limits);
    endpoint.definition.statistics.meter(queue.meter());
    let intake = Intake::open(&core, topic.clone(), queue.clone(), queue, join).await?;
    let name = format!("listen:{topic}:{}", endpoint.definition.source.path());
    let singleton = endpoint.definition.singleton.then(|| Singleton::start(&core, &name, &workers));
    let listener = Listener {
        core,
        singleton,
        topic,
        cut,
        timeout: endpoint.definition.timeout.unwrap_or(limits.timeout),
        message_bytes: limits.message_bytes,
        endpoint,
        drops: Arc::default(),
    };
    workers.spawn(listener.serve(receiver, workers.clone()));
    Ok(intake)
}

#[derive(Clone)]
struct Listener {
    core: Arc<Core>,
    /// If one instance of the service handles the messages.
    singleton: Option<Singleton>,
    topic: Topic,
    cut: CancellationToken,
    endpoint: Arc<Endpoint>,
    timeout: Duration,
    message_bytes: usize,
    drops: Arc<Mutex<Drops>>,
}

impl Listener {
    async fn serve(self, mut receiver: QueueReceiver, workers: Workers) {
        // The lease is kept until the queue is empty, also while the service stops.
        let _retained = self.singleton.as_ref().map(Singleton::retain);
        while let Some(Some(message)) = self.cut.run_until_cancelled(self.next(&mut receiver)).await {
            let envelope = match self.read(&message) {
                Ok(envelope) => Arc::new(envelope),
                Err(error) => {
                    self.count_dropped(&message.channel, &message.payload, &*error);
                    continue;
                }
            };
            // A plain `fn` that outlives its deadline keeps its permit, so the next message waits for its thread.
            let definition = &self.endpoint.definition;
            let run = Invocation::admitted(&self.core, "listen", definition, Report::Broadcast).await;
            run.span().record("channel", &*message.channel);
            // After the wait for the handler's limit: the lease may have been lost meanwhile.
            let hold = self.singleton.as_ref().map(Singleton::hold);
            if let Some(None) = hold {
                self.count_skipped();
                continue;
            }
            let handled = self.clone().handle(run, envelope, hold.flatten());
            if self.endpoint.definition.concurrency > Some(1) {
                workers.spawn(handled);
            } else {
                handled.await;
            }
        }
        self.end_episode();
    }

    /// Receives the next message, and ends an episode that is over by then.
    async fn next(&self, receiver: &mut QueueReceiver) -> Option<Message> {
        let ends = self.drops.lock().ends;
        let Some(ends) = ends else { return receiver.recv().await };
        let next = timeout_at(ends, receiver.recv()).await;
        if ends <= Instant::now() {
            self.end_episode();
        }
        match next {
            Ok(message) => message,
            Err(_) => receiver.recv().await,
        }
    }

    fn read(&self, message: &Message) -> Result<Envelope, BoxError> {
        let (bytes, limit) = (message.payload.len(), self.message_bytes);
        if bytes > limit {
            return Err(format!("it has {bytes} bytes, and this service takes {limit}").into());
        }
        Ok(Envelope::of_broadcast(message)?)
    }

    async fn handle(self, run: Invocation, envelope: Arc<Envelope>, hold: Option<LeaseHold>) {
        let deadline = Deadline::after(self.timeout);
        let mut cx = Context::new(Arc::clone(&self.core), self.endpoint.definition.name)
            .with_message(Arc::clone(&envelope), deadline);
        let outcome = match hold {
            Some(hold) => {
                hold.provide(&mut cx);
                hold.run(run.call(&self.endpoint, cx)).await
            }
            None => run.call(&self.endpoint, cx).await,
        };
        // Any other failure is in the log; a broadcast has no answer.
        if let Err(failure) = outcome
            && failure.fault().reserved_code() == Some(FaultCode::InvalidPayload)
        {
            self.count_dropped(&envelope.channel, envelope.raw.as_bytes(), &failure);
        }
    }

    /// Counts a message that the handler can't accept, and logs the first of an episode.
    fn count_dropped(&self, channel: &str, message: &[u8], error: &dyn Display) {
        let mut drops = self.drops.lock();
        drops.count += 1;
        drops.ends = Some(Instant::now() + QUIET);
        if drops.count == 1 {
            let (listener, handler) = (&self.topic, self.endpoint.definition.source);
            let begins = beginning(message);
            warn!(channel, %listener, %handler, %error, begins, "broadcast dropped; further ones are counted");
        }
    }

    /// Counts a message that this instance leaves to the holder of the lease, and logs the first of an episode.
    fn count_skipped(&self) {
        let mut drops = self.drops.lock();
        drops.skipped += 1;
        drops.ends = Some(Instant::now() + QUIET);
        if drops.skipped == 1 {
            let (listener, handler) = (&self.topic, self.endpoint.definition.source);
            debug!(%listener, %handler, "a broadcast is left to the instance that holds the lease; further ones are counted");
        }
    }

    fn end_episode(&self) {
        let Drops { count: dropped, skipped, .. } = std::mem::take(&mut *self.drops.lock());
        if skipped > 0 {
            let (listener, handler) = (&self.topic, self.endpoint.definition.source);
            debug!(%listener, %handler, skipped, "broadcasts were left to the instance that holds the lease");
        }
        if dropped > 0 {
            let (listener, handler) = (&self.topic, self.endpoint.definition.source);
            warn!(%listener, %handler, dropped, "broadcasts are no longer dropped");
        }
    }
}

/// The messages that a listener did not handle in the current episode, which ends when there was none for [`QUIET`].
#[derive(Debug, Default)]
struct Drops {
    count: u64,
    /// Messages that were left to the instance that holds the lease.
    skipped: u64,
    /// `None` if there is no episode.
    ends: Option<Instant>,
}
