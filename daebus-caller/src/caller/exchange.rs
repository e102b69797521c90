//! One attempt of a call: a request is published; progress and an answer arrive.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Fuse};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until};

use super::delivery::{Delivery, Published, channel};
use super::directory::member::Member;
use super::pending::{FinalReply, NoAnswer, ProgressQueue};
use super::request::OutgoingRequest;
use super::silence::Silence;
use crate::contract::FromFault;
use crate::error::{BusError, CallError};
use crate::wire::presence::CHANNEL_CHECK;
use crate::wire::{Fault, RawJson};

impl OutgoingRequest {
    /// Sends the request once, to an instance or to the service's own channel, and waits for the answer. Fails with
    /// [`CallError::NoService`] if nothing received it. Dropping the future cancels the request.
    pub(super) async fn exchange_with(
        &self,
        instance: Option<&Arc<Member>>,
        repeatable: bool,
        wants_progress: bool,
        on_progress: &mut (dyn FnMut(RawJson) + Send),
    ) -> Result<Option<RawJson>, CallError> {
        let progress = wants_progress.then(|| Arc::new(ProgressQueue::default()));
        let pending = self.link.pending();
        let number = pending.next_number();
        tracing::debug!(service = %self.service, action = self.action, request_id = %pending.id(number), "calling");
        let mut answer = pending.add(number, progress.clone(), instance.cloned());
        let mut in_flight = InFlight::new(Delivery { request: self, instance, number });

        let end = {
            let InFlight { delivery, published } = &mut in_flight;
            let silence = Silence::new(Instant::now());
            // Pinned in place: `select!` would store each future twice.
            let mut exchange = pin!(delivery.exchange(
                repeatable,
                &mut answer,
                progress.as_deref(),
                on_progress,
                published,
                &silence
            ));
            let mut closed = pin!(self.closing.cancelled());
            let deadline = self.deadline.instant();
            let mut timer = pin!(sleep_until(silence.due(deadline)));
            poll_fn(|context| {
                if closed.as_mut().poll(context).is_ready() {
                    return Poll::Ready(End::Closed);
                }
                loop {
                    // An answer that has arrived counts, even if the deadline has passed as well.
                    if let Poll::Ready(outcome) = exchange.as_mut().poll(context) {
                        return Poll::Ready(End::Outcome(outcome));
                    }
                    let due = silence.due(deadline);
                    if due < timer.deadline() {
                        timer.as_mut().reset(due);
                    }
                    if timer.as_mut().poll(context).is_pending() {
                        return Poll::Pending;
                    }
                    let now = Instant::now();
                    if now >= deadline {
                        return Poll::Ready(End::Late);
                    }
                    silence.look(now);
                    timer.as_mut().reset(silence.due(deadline));
                }
            })
            .await
        };
        let outcome = match end {
            End::Outcome(outcome) => {
                in_flight.end();
                outcome
            }
            // Dropped unanswered, so that the request is cancelled.
            End::Closed => Err(CallError::Closed),
            End::Late => Err(in_flight.time_out()),
        };
        match &outcome {
            Ok(_) => {
                tracing::debug!(service = %self.service, action = self.action, request_id = %pending.id(number), "answered");
            }
            Err(error) => {
                tracing::debug!(service = %self.service, action = self.action, request_id = %pending.id(number), "failed: {error}");
            }
        }
        outcome
    }
}

/// How an attempt ended.
enum End {
    Outcome(Result<Option<RawJson>, CallError>),
    Closed,
    Late,
}

impl Delivery<'_> {
    /// Publishes the request, and returns the answer.
    async fn exchange(
        &self,
        repeatable: bool,
        answer: &mut oneshot::Receiver<FinalReply>,
        progress: Option<&ProgressQueue>,
        on_progress: &mut (dyn FnMut(RawJson) + Send),
        published: &mut Published,
        silence: &Silence,
    ) -> Result<Option<RawJson>, CallError> {
        let OutgoingRequest { link, deadline, .. } = self.request;
        let inbox = match link.confirmed_inbox() {
            Some(inbox) => inbox,
            None => Box::pin(link.inbox(*deadline)).await?,
        };
        if deadline.remaining().is_zero() {
            return Err(self.request.too_late());
        }
        // It may have left while this call waited for the inbox. Later on, the call is among those that fail with it.
        if self.instance.is_some_and(|instance| instance.is_gone()) {
            return Err(self.request.no_service());
        }
        // Under load most calls wait here: neither the message nor what delivers it is made before.
        *published = Published::Waiting;
        let place = match link.outbox().place(deadline.instant()).await {
            Ok(place) => Some(place),
            Err(BusError::Away { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        *published = Published::No;
        // Nothing has been sent yet, so another instance may run the request.
        if self.instance.is_some_and(|instance| instance.is_gone()) {
            return Err(self.request.no_service());
        }
        // The answer may arrive before PUBLISH is confirmed, or although it never is.
        let mut delivered = self.deliver(inbox, place, published).fuse();
        let mut receivers = 0;
        // The silence is looked at whenever its timer ends, so it needs no waker.
        let mut silent = poll_fn(|_| silence.take_over().map_or(Poll::Pending, Poll::Ready));
        let mut lost = Fuse::terminated();
        let mut arrived = arrived(progress);
        let mut report = || {
            while let Some(update) = progress.and_then(ProgressQueue::pop) {
                on_progress(update);
            }
        };
        let mut has_progress = false;
        loop {
            tokio::select! {
                biased;
                answer = &mut *answer => {
                    // Progress came before the answer, on the same connection, and is reported before it.
                    report();
                    return match answer {
                        Ok(answer) => answer.map_err(|failure| call_error(*failure)),
                        // The bus was closed: otherwise this call alone removes its entry, with the sender.
                        Err(_) => Err(CallError::Closed),
                    };
                }
                () = &mut arrived => {
                    has_progress = true;
                    arrived = self::arrived(progress);
                    report();
                }
                outcome = &mut delivered => match outcome {
                    Ok(_) if link.bus().counts_are_partial() => silence.settle(),
                    Ok(count) => {
                        receivers = count;
                        silence.begin();
                    }
                    // The request may have arrived, and its answer may be under way.
                    Err(CallError::Bus(BusError::Unknown { .. })) if !repeatable => silence.settle(),
                    Err(error) => return Err(error),
                },
                published = &mut silent, if !has_progress => lost = self.was_lost(receivers, published).boxed().fuse(),
                is_lost = &mut lost, if !has_progress => {
                    if is_lost && !link.pending().has_reply(self.number) {
                        return Err(self.request.no_service());
                    }
                }
            }
        }
    }
}

/// Waits for progress; never ends if none is wanted. Boxed, since few calls want any.
fn arrived(progress: Option<&ProgressQueue>) -> Fuse<BoxFuture<'_, ()>> {
    progress.map_or_else(Fuse::terminated, |progress| progress.arrived().boxed().fuse())
}

impl Delivery<'_> {
    /// Returns, after a silence, whether the service certainly did not receive the request. If an instance did not, its calls
    /// fail with its info.
    async fn was_lost(&self, receivers: u64, published: Instant) -> bool {
        let OutgoingRequest { link, service, directory, .. } = self.request;
        match self.instance {
            None => {
                link.audience().was_empty(service, receivers, published).await
                    && !directory.has_instances().await
            }
            Some(instance) => {
                let audience = link.audience();
                let mut has_left = audience.has_left(&instance.channel, published).await;
                // It may be reconnecting, or be dead while its info lives.
                while has_left && !instance.is_gone() {
                    directory.check(instance).await;
                    sleep(CHANNEL_CHECK).await;
                    has_left = audience.is_empty(&instance.channel).await;
                }
                false
            }
        }
    }
}

/// Returns the failure as the error of an untyped call.
fn call_error(failure: NoAnswer) -> CallError {
    let fault = match failure {
        NoAnswer::Fault(fault) => fault,
        NoAnswer::Lost(instance) => return CallError::InstanceLost { instance: instance.to_string() },
    };
    match Fault::from_fault(fault) {
        Ok(fault) => CallError::Service(fault),
        Err(fault) => CallError::Fault(fault),
    }
}

/// The request's entry among the calls in flight; removed whichever way the attempt ends.
struct InFlight<'a> {
    delivery: Delivery<'a>,
    published: Published,
}

impl<'a> InFlight<'a> {
    fn new(delivery: Delivery<'a>) -> Self {
        if let Some(instance) = delivery.instance {
            instance.enter();
            delivery.request.directory.check_calls();
        }
        Self { delivery, published: Published::No }
    }

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
            Published::Unknown(error) => CallError::Bus((**error).clone()),
            Published::Waiting => {
                self.end();
                CallError::Bus(BusError::Full { location: self.delivery.request.link.bus().location() })
            }
            Published::InFlight => self.delivery.request.too_late(),
            Published::No | Published::Confirmed => {
                self.end();
                self.delivery.request.too_late()
            }
        }
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        let Delivery { request, instance, number } = self.delivery;
        let pending = request.link.pending();
        let unanswered = pending.remove(number);
        if unanswered && !matches!(self.published, Published::No | Published::Waiting) {
            let channel = channel(request, instance);
            request.link.cancel(channel, request.service.as_str(), pending.id(number));
        }
        if let Some(instance) = instance {
            instance.leave();
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
        CallError::TooFewInstances { service, wanted, found, after } => {
            CallError::TooFewInstances { service, wanted, found, after }
        }
        CallError::Closed => CallError::Closed,
    }
}
