//! Broadcasts: a listener handles the messages of its channel in order, one at a time unless it declares a concurrency.

use std::sync::Arc;
use std::time::Duration;

use daebus_caller::bus::{Message, Queue, QueueLimits, QueueReceiver, Topic};
use daebus_caller::deadline::Deadline;
use daebus_caller::wire::beginning;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::HandlerLimits;
use super::intake::Intake;
use crate::handler::{Context, Core, Endpoint, Envelope, Invocation, Report};
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
    let (queue, receiver) =
        Queue::drop_oldest(QueueLimits { bytes: limits.listener_bytes, ..QueueLimits::default() });
    let meter = queue.meter();
    let intake = Intake::open(&core, topic.clone(), queue, join).await?;
    endpoint.definition.statistics.meter(meter);
    let listener = Listener {
        core,
        topic,
        cut,
        timeout: endpoint.definition.timeout.unwrap_or(limits.timeout),
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
        while let Some(Some(message)) = self.cut.run_until_cancelled(receiver.recv()).await {
            let Some(envelope) = self.read(&message) else { continue };
            let report = Report::Broadcast(Arc::clone(&envelope));
            // A plain `fn` that outlives its deadline keeps its permit, so the next message waits for its thread.
            let run = Invocation::admitted(&self.core, "listen", &self.endpoint.definition, report).await;
            run.span().record("channel", &*message.channel);
            let handled = self.clone().handle(run, envelope);
            if self.endpoint.definition.concurrency > Some(1) {
                workers.spawn(handled);
            } else {
                handled.await;
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

    async fn handle(self, run: Invocation, envelope: Arc<Envelope>) {
        let deadline = Deadline::after(self.timeout);
        let cx = Context::new(Arc::clone(&self.core), self.endpoint.definition.name)
            .with_message(envelope, deadline);
        // A failure is in the log; a broadcast has no answer.
        let _ = run.call(&self.endpoint, cx).await;
    }
}
