//! Broadcasts: each listener hears its channel in order, one message at a time unless it says otherwise.

use std::sync::Arc;
use std::time::Duration;

use daebus_caller::bus::{Message, Queue, QueueLimits, QueueReceiver, Topic};
use daebus_caller::deadline::Deadline;
use daebus_caller::wire::{FaultCode, beginning};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, error, info_span, warn};

use super::Limits;
use super::intake::{Intake, Join};
use crate::handler::{Context, Core, Endpoint, Envelope, Turn, run_guarded};
use crate::runtime::Workers;

/// Subscribes one listener, confirmed, and runs it until its intake is left and its queue is empty, or until it is cut
/// off: then what waits in its queue isn't handled any more.
pub(crate) async fn listen(
    core: Arc<Core>,
    topic: Topic,
    endpoint: Arc<Endpoint>,
    limits: Limits,
    workers: Workers,
    (join, cut): (Join, CancellationToken),
) -> Result<Intake, daebus_caller::BusError> {
    let (queue, receiver) = Queue::drop_oldest(QueueLimits::default());
    let intake = Intake::open(&core, topic.clone(), queue, join).await?;
    let listener = Listener {
        core,
        topic,
        cut,
        timeout: endpoint.timeout.unwrap_or(limits.timeout),
        message_bytes: limits.message_bytes,
        endpoint,
    };
    workers.spawn(listener.serve(receiver, workers.clone()));
    Ok(intake)
}

#[derive(Clone)]
struct Listener {
    core: Arc<Core>,
    topic: Topic,
    cut: CancellationToken,
    endpoint: Arc<Endpoint>,
    timeout: Duration,
    message_bytes: usize,
}

impl Listener {
    async fn serve(self, mut receiver: QueueReceiver, workers: Workers) {
        let at_once = self.endpoint.concurrency.unwrap_or(1).max(1);
        let turns = Arc::new(Semaphore::new(at_once));
        while let Some(Some(message)) = self.cut.run_until_cancelled(receiver.recv()).await {
            let Some(envelope) = self.read(&message) else { continue };
            let span =
                info_span!("listen", service = self.core.service.as_str(), channel = &*message.channel);
            // Never closed.
            let Ok(turn) = Arc::clone(&turns).acquire_owned().await else { return };
            let turn = Turn::new(vec![turn], self.endpoint.in_flight.enter());
            let run = self.clone().run(envelope, turn).instrument(span);
            if at_once == 1 {
                run.await;
            } else {
                workers.spawn(run);
            }
        }
    }

    fn read(&self, message: &Message) -> Option<Arc<Envelope>> {
        let dropped = |error: &dyn std::fmt::Display| {
            let begins = beginning(&message.payload);
            warn!(channel = &*message.channel, listener = %self.topic, %error, begins, "a message is dropped");
        };
        if message.payload.len() > self.message_bytes {
            let bytes = message.payload.len();
            dropped(&format_args!("it has {bytes} bytes, and this service takes {}", self.message_bytes));
            return None;
        }
        Envelope::of_broadcast(message).inspect_err(|error| dropped(error)).ok().map(Arc::new)
    }

    async fn run(self, envelope: Arc<Envelope>, turn: Turn) {
        let deadline = Deadline::at(Instant::now() + self.timeout);
        let cx =
            Context::new(Arc::clone(&self.core), self.endpoint.name).with_message(envelope.clone(), deadline);
        let handler = self.endpoint.source;
        let run = self.endpoint.run.clone().run(cx);
        let Err(failure) = run_guarded(&self.core, handler, Some(deadline), turn, run).await else {
            return;
        };
        if failure.fault().reserved_code() == Some(FaultCode::InvalidPayload) {
            let begins = beginning(envelope.raw.as_bytes());
            warn!(%handler, error = %failure, begins, "a message that the listener can't read; it is dropped");
        } else {
            error!(%handler, error = %failure, "the listener failed");
        }
    }
}
