//! One try of a call: a request out, progress and an answer in.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::Fuse;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::deadline::Deadline;
use super::delivery::Delivery;
use super::link::Link;
use super::pending::{FinalReply, ProgressQueue};
use crate::contract::FromFault;
use crate::error::CallError;
use crate::wire::{Fault, Headers, RawJson, ServiceName};

/// What is asked, and of whom.
#[derive(Debug)]
pub(super) struct OutgoingRequest {
    pub(super) link: Link,
    pub(super) service: ServiceName,
    pub(super) action: String,
    pub(super) payload: RawJson,
    pub(super) headers: Headers,
    /// The whole of the time for it, all tries together; told when it runs out.
    pub(super) budget: Duration,
}

impl OutgoingRequest {
    /// Asks once. Dropping the future takes the request back.
    pub(super) async fn attempt(
        &self,
        deadline: Deadline,
        wants_progress: bool,
        on_progress: &mut (dyn FnMut(RawJson) + Send),
    ) -> Result<Option<RawJson>, CallError> {
        let progress = Arc::new(ProgressQueue::new(wants_progress));
        let request_id = Uuid::new_v4();
        tracing::debug!(service = %self.service, action = self.action, %request_id, "calling");
        let answer = self.link.pending().add(request_id, progress.clone());
        let mut in_flight = InFlight { request: self, request_id, sent: false };

        let outcome = tokio::select! {
            // An answer that is there counts, however late we come to look.
            biased;
            outcome = self.exchange(request_id, deadline, answer, &progress, on_progress, &mut in_flight.sent) => outcome,
            () = self.link.closed() => Err(CallError::Closed),
            () = tokio::time::sleep_until(deadline.instant()) => Err(self.too_late()),
        };
        in_flight.end();
        match &outcome {
            Ok(_) => tracing::debug!(service = %self.service, action = self.action, %request_id, "answered"),
            Err(error) => {
                tracing::debug!(service = %self.service, action = self.action, %request_id, "failed: {error}");
            }
        }
        outcome
    }

    async fn exchange(
        &self,
        request_id: Uuid,
        deadline: Deadline,
        mut answer: oneshot::Receiver<FinalReply>,
        progress: &ProgressQueue,
        on_progress: &mut (dyn FnMut(RawJson) + Send),
        sent: &mut bool,
    ) -> Result<Option<RawJson>, CallError> {
        let inbox = self.link.inbox(deadline).await?;
        if deadline.remaining().is_zero() {
            return Err(self.too_late());
        }
        let delivery = Delivery {
            link: &self.link,
            service: &self.service,
            action: &self.action,
            payload: &self.payload,
            headers: &self.headers,
            request_id,
            deadline,
        };
        let receivers = delivery.deliver(inbox, sent).await?;

        let mut nobody = if self.link.bus().counts_are_partial() {
            Fuse::terminated()
        } else {
            self.link.audience().was_empty(&self.service, receivers).boxed().fuse()
        };
        loop {
            tokio::select! {
                biased;
                answer = &mut answer => {
                    // Progress came before the answer, on the same connection, and is told before it.
                    while let Some(update) = progress.pop() {
                        on_progress(update);
                    }
                    // The sender is only dropped with its call's entry, which is ours to remove.
                    return answer.unwrap_or(Ok(None)).map_err(told);
                }
                () = progress.arrived() => {
                    while let Some(update) = progress.pop() {
                        on_progress(update);
                    }
                }
                nobody_is_there = &mut nobody, if !progress.was_heard() => {
                    if nobody_is_there && !progress.was_heard() {
                        return Err(self.nobody());
                    }
                }
            }
        }
    }

    fn too_late(&self) -> CallError {
        CallError::Timeout {
            service: self.service.to_string(),
            action: self.action.clone(),
            after: self.budget,
        }
    }

    fn nobody(&self) -> CallError {
        CallError::NoService { service: self.service.to_string() }
    }
}

/// An error reply, told apart as an untyped caller sees it.
fn told(fault: Fault) -> CallError {
    match Fault::from_fault(fault) {
        Ok(fault) => CallError::Service(fault),
        Err(fault) => CallError::Fault(fault),
    }
}

/// The request's entry among the calls in flight; goes whichever way the call ends.
struct InFlight<'a> {
    request: &'a OutgoingRequest,
    request_id: Uuid,
    sent: bool,
}

impl InFlight<'_> {
    /// The call has its outcome, so there is nothing to take back: where it was the time that ran out, the service
    /// knows the budget as well.
    fn end(mut self) {
        self.sent = false;
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        let unanswered = self.request.link.pending().remove(self.request_id);
        if unanswered && self.sent {
            self.request.link.cancel(self.request.service.as_str(), self.request_id);
        }
    }
}

/// `error` as the caller of an action whose own error is `E` sees it.
pub(super) fn typed<E: FromFault>(error: CallError) -> CallError<E> {
    match error {
        CallError::Service(fault) | CallError::Fault(fault) => match E::from_fault(fault) {
            Ok(error) => CallError::Service(error),
            Err(fault) => CallError::Fault(fault),
        },
        CallError::NoService { service } => CallError::NoService { service },
        CallError::Timeout { service, action, after } => CallError::Timeout { service, action, after },
        CallError::InstanceLost { instance } => CallError::InstanceLost { instance },
        CallError::Bus(error) => CallError::Bus(error),
        CallError::Decode { service, action, source } => CallError::Decode { service, action, source },
        CallError::Encode { service, action, source } => CallError::Encode { service, action, source },
        CallError::Closed => CallError::Closed,
    }
}
