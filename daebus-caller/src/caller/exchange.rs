//! One attempt of a call: a request is published; progress and an answer arrive.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::Fuse;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::deadline::Deadline;
use super::delivery::{Delivery, Published};
use super::link::Link;
use super::pending::{FinalReply, ProgressQueue};
use crate::contract::FromFault;
use crate::error::{BusError, CallError};
use crate::wire::{Fault, Headers, RawJson, ServiceName};

/// What is asked, and of whom.
#[derive(Debug)]
pub(super) struct OutgoingRequest {
    pub(super) link: Link,
    pub(super) service: ServiceName,
    pub(super) action: String,
    pub(super) payload: RawJson,
    pub(super) headers: Headers,
    /// The time for all attempts together; reported when it runs out.
    pub(super) budget: Duration,
}

impl OutgoingRequest {
    /// Makes one attempt. Dropping the future cancels the request.
    ///
    /// After a PUBLISH of unknown outcome the attempt waits for the answer until the deadline; if `repeatable`, it
    /// fails at once, so that the call can be repeated.
    pub(super) async fn attempt(
        &self,
        deadline: Deadline,
        repeatable: bool,
        wants_progress: bool,
        on_progress: &mut (dyn FnMut(RawJson) + Send),
    ) -> Result<Option<RawJson>, CallError> {
        let progress = Arc::new(ProgressQueue::new(wants_progress));
        let request_id = Uuid::new_v4();
        tracing::debug!(service = %self.service, action = self.action, %request_id, "calling");
        let answer = self.link.pending().add(request_id, progress.clone());
        let mut in_flight = InFlight { request: self, request_id, published: Published::No };
        let delivery = Delivery {
            link: &self.link,
            service: &self.service,
            action: &self.action,
            payload: &self.payload,
            headers: &self.headers,
            request_id,
            deadline,
        };

        let outcome = tokio::select! {
            // An answer that is there counts, however late we come to look.
            biased;
            outcome = self.exchange(delivery, repeatable, answer, &progress, on_progress, &mut in_flight.published) => {
                in_flight.end();
                outcome
            }
            () = self.link.closed() => {
                in_flight.end();
                Err(CallError::Closed)
            }
            () = tokio::time::sleep_until(deadline.instant()) => Err(in_flight.time_out()),
        };
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
        delivery: Delivery<'_>,
        repeatable: bool,
        mut answer: oneshot::Receiver<FinalReply>,
        progress: &ProgressQueue,
        on_progress: &mut (dyn FnMut(RawJson) + Send),
        published: &mut Published,
    ) -> Result<Option<RawJson>, CallError> {
        let inbox = self.link.inbox(delivery.deadline).await?;
        if delivery.deadline.remaining().is_zero() {
            return Err(self.too_late());
        }
        // The answer may arrive before PUBLISH is confirmed, or although it never is.
        let mut delivered = pin!(delivery.deliver(inbox, published).fuse());
        let mut nobody = Fuse::terminated();
        loop {
            tokio::select! {
                biased;
                answer = &mut answer => {
                    // Progress came before the answer, on the same connection, and is reported before it.
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
                outcome = &mut delivered => match outcome {
                    Ok(_) if self.link.bus().counts_are_partial() => {}
                    Ok(receivers) => {
                        nobody = self.link.audience().was_empty(&self.service, receivers).boxed().fuse();
                    }
                    // The request may have arrived, and its answer may be under way.
                    Err(CallError::Bus(BusError::Unknown { .. })) if !repeatable => {}
                    Err(error) => return Err(error),
                },
                nobody_is_there = &mut nobody, if !progress.was_heard() => {
                    if nobody_is_there && !progress.was_heard() {
                        return Err(CallError::NoService { service: self.service.to_string() });
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
}

/// An error reply, told apart as an untyped caller sees it.
fn told(fault: Fault) -> CallError {
    match Fault::from_fault(fault) {
        Ok(fault) => CallError::Service(fault),
        Err(fault) => CallError::Fault(fault),
    }
}

/// The request's entry among the calls in flight; removed whichever way the attempt ends.
struct InFlight<'a> {
    request: &'a OutgoingRequest,
    request_id: Uuid,
    published: Published,
}

impl InFlight<'_> {
    /// Ends an attempt that has its outcome, so that there is nothing to cancel.
    fn end(&mut self) {
        self.published = Published::No;
    }

    /// Ends an attempt at its deadline, and returns its error.
    ///
    /// The service knows the budget, but counts it from when it receives the request. A request whose PUBLISH isn't
    /// confirmed may reach it only after the call has ended, so the drop that follows sends a `$cancel` behind it.
    fn time_out(&mut self) -> CallError {
        match &self.published {
            Published::Unknown(error) => CallError::Bus(error.clone()),
            Published::InFlight => self.request.too_late(),
            Published::No | Published::Confirmed => {
                self.end();
                self.request.too_late()
            }
        }
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        let unanswered = self.request.link.pending().remove(self.request_id);
        if unanswered && !matches!(self.published, Published::No) {
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
