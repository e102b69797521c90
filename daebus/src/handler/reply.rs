//! Where a reply is made: the answer, the error or the progress of one request.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use daebus_caller::bus::{Batching, Outbox};
use daebus_caller::wire::{Fault, FaultCode, RawJson, ReplyWriter, Status};
use daebus_caller::{BusError, InstanceId};
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How long a reply is repeated, or waits for a bus that is away, if the request's budget doesn't end before.
const MAX: Duration = Duration::from_secs(30);

/// Where and how the replies to a request are sent.
#[derive(Debug)]
pub(crate) struct ReplyAddress {
    pub(crate) channel: Arc<str>,
    pub(crate) request_id: Option<RawJson>,
    /// When the caller stops waiting, if the request says so. A handler's own time limit may end before.
    pub(crate) caller_deadline: Option<Instant>,
    /// Whether the channel accepts batches.
    pub(crate) batching: Batching,
}

/// Sends the replies of one request, in order, and none after the final one.
#[derive(Debug)]
pub(crate) struct Replier {
    address: ReplyAddress,
    instance: InstanceId,
    outbox: Outbox,
    /// Locked while progress is on its way, so that the final reply doesn't overtake it; true once the final reply follows.
    finished: Mutex<bool>,
}

impl Replier {
    pub(crate) fn new(address: ReplyAddress, instance: InstanceId, outbox: Outbox) -> Self {
        Self { address, instance, outbox, finished: Mutex::new(false) }
    }

    pub(crate) fn channel(&self) -> &str {
        &self.address.channel
    }

    /// Sends an update; one that can't be sent by the time that the caller stops waiting fails. After the final reply it
    /// is silently dropped: the caller has stopped waiting.
    pub(crate) async fn progress(&self, payload: &RawJson) -> Result<(), BusError> {
        let finished = self.finished.lock().await;
        if *finished {
            return Ok(());
        }
        let message = self.write(Status::Progress, payload, false, false);
        self.outbox.progress(self.channel(), message, self.deadline()).await
    }

    /// Sends the final reply. If it can't be delivered yet, the outbox repeats it, and this returns meanwhile.
    pub(crate) async fn finish(&self, outcome: Result<&RawJson, &Fault>) -> Result<(), BusError> {
        self.last(outcome, false).await
    }

    /// Sends the final reply of a request that was not run, so that the caller may send it to another instance. A handler
    /// that ran never does: the code of its error says nothing about its own request.
    pub(crate) async fn refuse(&self, fault: &Fault) -> Result<(), BusError> {
        self.last(Err(fault), true).await
    }

    async fn last(&self, outcome: Result<&RawJson, &Fault>, refused: bool) -> Result<(), BusError> {
        let mut finished = self.finished.lock().await;
        if std::mem::replace(&mut *finished, true) {
            return Ok(());
        }
        // Nothing follows a final reply. It may wait for room, and progress that comes too late doesn't wait with it.
        drop(finished);
        let message = match outcome {
            Ok(payload) => self.write(Status::Success, payload, true, refused),
            Err(fault) => self.write(Status::Error, &fault.to_payload(), true, refused),
        };
        // The caller of a cancelled request has stopped waiting, so this reply is not repeated.
        let is_cancelled = outcome.is_err_and(|fault| fault.reserved_code() == Some(FaultCode::Cancelled));
        let deadline = if is_cancelled { Instant::now() } else { self.deadline() };
        let ReplyAddress { channel, request_id, batching, .. } = &self.address;
        self.outbox.reply(channel, message, request_id.as_ref(), deadline, *batching).await
    }

    fn write(&self, status: Status, payload: &RawJson, is_final: bool, refused: bool) -> Bytes {
        ReplyWriter {
            status,
            payload,
            request_id: self.address.request_id.as_ref(),
            is_final,
            instance: self.instance.as_str(),
            refused,
        }
        .write()
    }

    /// When the caller stops waiting, or at most [`MAX`] from now.
    fn deadline(&self) -> Instant {
        let latest = Instant::now() + MAX;
        self.address.caller_deadline.map_or(latest, |caller| caller.min(latest))
    }
}

#[cfg(all(test, feature = "redis"))]
mod tests {
    use daebus_caller::bus::{BusUrl, connect_lazily};

    use super::*;

    #[tokio::test]
    async fn progress_does_not_wait_for_the_final_reply() {
        // Nothing listens there, so the reply waits for the bus.
        let bus = connect_lazily(&BusUrl::parse("redis://127.0.0.1:1").unwrap());
        let channel = "svc.responses".into();
        let address =
            ReplyAddress { channel, request_id: None, caller_deadline: None, batching: Batching::Alone };
        let replier = Arc::new(Replier::new(address, InstanceId::random("svc"), Outbox::new(bus)));
        let finishing = tokio::spawn({
            let replier = Arc::clone(&replier);
            async move { replier.finish(Ok(&RawJson::empty_object())).await }
        });
        tokio::time::timeout(Duration::from_secs(10), async {
            while !*replier.finished.lock().await {
                tokio::task::yield_now().await;
            }
            replier.progress(&RawJson::empty_object()).await.unwrap();
        })
        .await
        .unwrap();
        assert!(!finishing.is_finished(), "the final reply waits for the bus");
        finishing.abort();
    }
}
