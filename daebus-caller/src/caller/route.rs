//! One attempt of a call: selects an instance, and others if the request was not delivered or was refused.

use std::sync::Arc;
use std::time::Duration;

use super::balance::{Balance, Choice};
use super::deadline::Deadline;
use super::directory::member::Member;
use super::request::{OutgoingRequest, RawAnswer};
use crate::backoff::Backoff;
use crate::error::{BusError, CallError};
use crate::wire::presence::CHANNEL_CHECK;
use crate::wire::{FaultCode, InstanceId, RawJson};

/// How many instances may refuse a request, or be lost with it, before the call fails.
const MAX_REFUSALS: u32 = 3;

/// The delays after an instance could not be looked up.
const FIRST_DELAY: Duration = Duration::from_millis(10);
const MAX_DELAY: Duration = Duration::from_secs(1);

/// Receives each progress update.
type OnProgress<'a> = &'a mut (dyn FnMut(RawJson) + Send);

impl OutgoingRequest {
    /// Makes one attempt: sends the request to an instance, or to the service's own channel if no instance is known. A
    /// request that was not run is sent to other instances. Dropping the future cancels the request.
    ///
    /// After a PUBLISH of unknown outcome the attempt waits for the answer until the deadline; if `repeatable`, it fails at
    /// once, so that the call can be repeated.
    pub(super) async fn attempt(
        &self,
        repeatable: bool,
        wants_progress: bool,
        on_progress: OnProgress<'_>,
    ) -> RawAnswer {
        self.directory.start();
        if !self.directory.was_read() {
            Box::pin(self.directory.first_reading(self.deadline)).await;
        }
        if let Choice::Named(_) | Choice::Invalid(_) = &self.choice {
            let attempt = Box::pin(self.attempt_at_named(repeatable, wants_progress, on_progress));
            return self.closing.run_until_cancelled(attempt).await.unwrap_or(Err(CallError::Closed));
        }
        let first = self.select(&[]);
        let outcome = self.exchange_with(first.as_ref(), repeatable, wants_progress, on_progress).await;
        match outcome {
            Err(error) if self.may_go_elsewhere(first.as_ref(), &error) => {
                // Boxed: most calls are answered by the first instance.
                Box::pin(self.go_elsewhere(first, error, repeatable, wants_progress, on_progress)).await
            }
            outcome => outcome,
        }
    }

    pub(super) fn select(&self, tried: &[Arc<Member>]) -> Option<Arc<Member>> {
        match &self.choice {
            Choice::Any(Balance::ByKey) => self.directory.select_by_key(self.payload.as_str(), tried),
            Choice::ByKey(key) => self.directory.select_by_key(key, tried),
            Choice::Any(balance) => self.directory.select(*balance, tried),
            Choice::Named(_) | Choice::Invalid(_) => None,
        }
    }

    /// Returns whether the request may be sent to another instance after it failed at one, or on the service's own channel.
    fn may_go_elsewhere(&self, failed: Option<&Arc<Member>>, error: &CallError) -> bool {
        match error {
            // If it is an instance's channel that had no receiver, another one may have.
            CallError::NoService { .. } => failed.is_some(),
            CallError::InstanceLost { .. } => self.idempotent,
            CallError::Service(fault) | CallError::Fault(fault) => fault.is_refused(),
            _ => false,
        }
    }

    /// Sends a request that failed at `first` to other instances, and finally, if there is a reason for it, to the service's
    /// own channel.
    async fn go_elsewhere(
        &self,
        first: Option<Arc<Member>>,
        mut error: CallError,
        repeatable: bool,
        wants_progress: bool,
        on_progress: OnProgress<'_>,
    ) -> RawAnswer {
        let was_on_service = first.is_none();
        let mut tried = Vec::from_iter(first);
        let (mut failures, mut is_unknown_action) = (0, false);
        let mut refusal = None;
        loop {
            if let CallError::NoService { .. } = &error {
                if let Some(member) = tried.last() {
                    self.directory.suspend(member);
                }
            } else {
                failures += 1;
                is_unknown_action |= is_refused_as_unknown(&error);
                tracing::debug!(service = %self.service, action = self.action, %error, "sending elsewhere");
                refusal = Some(error);
            }
            if self.deadline.remaining().is_zero() {
                return Err(refusal.unwrap_or_else(|| self.too_late()));
            }
            let next = if failures < MAX_REFUSALS { self.select(&tried) } else { None };
            let Some(member) = next else { break };
            let outcome = self.exchange_with(Some(&member), repeatable, wants_progress, on_progress).await;
            tried.push(member);
            match outcome {
                Err(next) if self.may_go_elsewhere(tried.last(), &next) => error = next,
                outcome => return outcome,
            }
        }
        let is_lost = matches!(refusal, Some(CallError::InstanceLost { .. }));
        match refusal {
            Some(refusal) if was_on_service || !(is_unknown_action || is_lost) => Err(refusal),
            refusal => match self.exchange_with(None, repeatable, wants_progress, on_progress).await {
                Err(CallError::NoService { service }) => {
                    Err(refusal.unwrap_or(CallError::NoService { service }))
                }
                outcome => outcome,
            },
        }
    }

    async fn attempt_at_named(
        &self,
        repeatable: bool,
        wants_progress: bool,
        on_progress: OnProgress<'_>,
    ) -> RawAnswer {
        let id = match &self.choice {
            Choice::Named(id) => id,
            Choice::Invalid(error) => return Err(CallError::Bus((**error).clone().into())),
            Choice::Any(_) | Choice::ByKey(_) => return Err(CallError::Closed),
        };
        self.directory.reading(self.deadline).await;
        loop {
            let Some(member) = self.look_up(id).await? else { return Err(lost(id)) };
            let outcome = self.exchange_with(Some(&member), repeatable, wants_progress, on_progress).await;
            let Err(CallError::NoService { .. }) = &outcome else { return outcome };
            // The instance may be reconnecting.
            self.directory.check(&member).await;
            if self.deadline <= Deadline::after(CHANNEL_CHECK) {
                return Err(lost(id));
            }
            if self.look_up(id).await?.is_some_and(|found| Arc::ptr_eq(&found, &member)) {
                tokio::time::sleep(CHANNEL_CHECK).await;
            }
        }
    }
}

impl OutgoingRequest {
    /// Returns the instance of that id. Waits until the deadline for a bus that is away.
    async fn look_up(&self, id: &InstanceId) -> Result<Option<Arc<Member>>, CallError> {
        let mut delays = Backoff::new(FIRST_DELAY, MAX_DELAY);
        loop {
            match self.directory.find(id).await {
                Ok(member) => return Ok(member),
                Err(error @ (BusError::Away { .. } | BusError::Unknown { .. } | BusError::Full { .. })) => {
                    self.link.ready(self.deadline).await?;
                    let delay = delays.next_delay();
                    if delay >= self.deadline.remaining() {
                        return Err(error.into());
                    }
                    tokio::time::sleep(delay).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn lost(id: &InstanceId) -> CallError {
    CallError::InstanceLost { instance: id.to_string() }
}

fn is_refused_as_unknown(error: &CallError) -> bool {
    match error {
        CallError::Service(fault) | CallError::Fault(fault) => {
            fault.reserved_code() == Some(FaultCode::UnknownAction)
        }
        _ => false,
    }
}
