//! Broadcasts: each listener hears its channel in order, one message at a time unless it says otherwise.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use daebus_caller::bus::{Message, Queue, QueueLimits, QueueReceiver, Topic};
use daebus_caller::deadline::Deadline;
use daebus_caller::wire::{FaultCode, RawJson, Request, read_message};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tracing::{Instrument, error, info_span, warn};

use super::actions::Intake;
use super::guard::Turn;
use super::{Limits, first_bytes, run_guarded};
use crate::context::{Context, Core, Envelope};
use crate::endpoint::Endpoint;
use crate::workers::Workers;

/// Subscribes one listener, confirmed, and runs it until its intake is left and its queue is empty.
pub(crate) async fn listen(
    core: Arc<Core>,
    topic: &'static str,
    endpoint: Endpoint,
    limits: Limits,
    workers: Workers,
) -> Result<Intake, daebus_caller::BusError> {
    let (queue, receiver) = Queue::drop_oldest(QueueLimits::default());
    let subscription = core.bus.subscribe(Topic::parse(topic), queue.clone()).await?;
    let listener = Listener {
        core,
        topic,
        timeout: endpoint.timeout.unwrap_or(limits.timeout),
        message_bytes: limits.message_bytes,
        endpoint: Arc::new(endpoint),
    };
    workers.spawn(listener.serve(receiver, workers.clone()));
    Ok(Intake { subscription, queue })
}

#[derive(Clone)]
struct Listener {
    core: Arc<Core>,
    topic: &'static str,
    endpoint: Arc<Endpoint>,
    timeout: Duration,
    message_bytes: usize,
}

impl Listener {
    async fn serve(self, mut receiver: QueueReceiver, workers: Workers) {
        let at_once = self.endpoint.concurrency.unwrap_or(1).max(1);
        let turns = Arc::new(Semaphore::new(at_once));
        while let Some(message) = receiver.recv().await {
            let Some(envelope) = self.read(&message) else { continue };
            let span = info_span!("listen", service = self.core.service.as_str(), channel = &*message.channel);
            // Never closed.
            let Ok(turn) = Arc::clone(&turns).acquire_owned().await else { return };
            let turn = Turn { places: vec![turn], in_flight: Some(self.endpoint.in_flight.enter()) };
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
            let begins = first_bytes(&message.payload);
            warn!(channel = &*message.channel, listener = self.topic, %error, begins, "a message is dropped");
        };
        if message.payload.len() > self.message_bytes {
            let bytes = message.payload.len();
            dropped(&format_args!("it has {bytes} bytes, and this service takes {}", self.message_bytes));
            return None;
        }
        let read = read_message(&message.payload, |text, json| Ok(self.envelope(message, text, json)));
        read.inspect_err(|error| dropped(error)).ok().map(Arc::new)
    }

    /// A broadcast is a bare value; where it happens to look like a request its fields can be read as one's.
    fn envelope(&self, message: &Message, text: &Bytes, json: &str) -> Envelope {
        let request = Request::read(json).unwrap_or_default();
        Envelope {
            channel: message.channel.clone(),
            raw: RawJson::whole(text),
            payload: Some(RawJson::whole(text)),
            action: request.action.map(std::borrow::Cow::into_owned),
            request_id: request.request_id.map(|id| RawJson::slice_of(text, id)),
            reply_to: request.reply_to.map(std::borrow::Cow::into_owned),
            service: request.service.map(std::borrow::Cow::into_owned),
            headers: request.headers,
        }
    }

    async fn run(self, envelope: Arc<Envelope>, turn: Turn) {
        let deadline = Deadline::at(Instant::now() + self.timeout);
        let cx = Context::new(Arc::clone(&self.core), self.topic).with_message(envelope.clone(), deadline);
        let handler = self.endpoint.source;
        let Err(failure) = run_guarded(deadline, turn, self.endpoint.run.clone().run(cx)).await else { return };
        if failure.fault().reserved_code() == Some(FaultCode::InvalidPayload) {
            let begins = first_bytes(envelope.raw.as_bytes());
            warn!(%handler, error = %failure, begins, "a message that the listener can't read; it is dropped");
        } else {
            error!(%handler, error = %failure, "the listener failed");
        }
    }
}
