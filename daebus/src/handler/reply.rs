//! Where a reply is made: the answer, the error or the progress of one request.

use std::sync::Arc;
use std::time::Duration;

use daebus_caller::BusError;
use daebus_caller::bus::Outbox;
use daebus_caller::wire::{Fault, RawJson, ReplyWriter, Status};
use tokio::sync::Mutex;

/// How long a reply waits for a bus that is away before it is given up.
const WITHIN: Duration = Duration::from_secs(5);

/// Sends the replies of one request, in order, and none after the final one.
#[derive(Debug)]
pub(crate) struct Replier {
    channel: String,
    request_id: Option<RawJson>,
    instance: Arc<str>,
    outbox: Outbox,
    /// Locked while a reply is on its way, so that none overtakes another; true once the final one is.
    finished: Mutex<bool>,
}

impl Replier {
    pub(crate) fn new(
        channel: String,
        request_id: Option<RawJson>,
        instance: Arc<str>,
        outbox: Outbox,
    ) -> Self {
        Self { channel, request_id, instance, outbox, finished: Mutex::new(false) }
    }

    pub(crate) fn channel(&self) -> &str {
        &self.channel
    }

    /// Sends an update. After the final reply it is silently dropped: nobody waits for it any more.
    pub(crate) async fn progress(&self, payload: &RawJson) -> Result<(), BusError> {
        let finished = self.finished.lock().await;
        if *finished { Ok(()) } else { self.send(Status::Progress, payload, false, false).await }
    }

    /// Sends the final reply.
    pub(crate) async fn finish(&self, outcome: Result<&RawJson, &Fault>) -> Result<(), BusError> {
        let mut finished = self.finished.lock().await;
        if std::mem::replace(&mut *finished, true) {
            return Ok(());
        }
        match outcome {
            Ok(payload) => self.send(Status::Success, payload, true, false).await,
            Err(fault) => self.send(Status::Error, &fault.to_payload(), true, false).await,
        }
    }

    /// Sends the final reply of a request that was not run, so that the caller may send it to another instance. A handler
    /// that ran never does: the code of its error says nothing about its own request.
    pub(crate) async fn refuse(&self, fault: &Fault) -> Result<(), BusError> {
        let mut finished = self.finished.lock().await;
        if std::mem::replace(&mut *finished, true) {
            return Ok(());
        }
        self.send(Status::Error, &fault.to_payload(), true, true).await
    }

    async fn send(
        &self,
        status: Status,
        payload: &RawJson,
        is_final: bool,
        refused: bool,
    ) -> Result<(), BusError> {
        let reply = ReplyWriter {
            status,
            payload,
            request_id: self.request_id.as_ref(),
            is_final,
            instance: &self.instance,
            refused,
        };
        self.outbox.publish(&self.channel, reply.write(), WITHIN).await.map(drop)
    }
}
