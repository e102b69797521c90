//! Requests on the service's channel: taken in, run, answered.

use std::sync::Arc;
use std::time::Duration;

use daebus_caller::bus::{Message, Queue, QueueReceiver, Topic};
use daebus_caller::deadline::Deadline;
use daebus_caller::wire::{Fault, FaultCode, TraceContext, beginning};
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, debug, error, warn};

use super::HandlerLimits;
use super::built_in::BuiltIns;
use super::cancellations::{CancellableRequest, Cancellations, RequestKey, cancelled_key, key_of};
use super::intake::{Intake, Intakes, Join};
use super::pulse::Pulse;
use super::refusals::{Reason, Refusals};
use super::waiting_cancels::WaitingCancels;
use crate::blueprint::Registry;
use crate::handler::{
    Context, Core, Endpoint, Envelope, Failure, Invocation, Replier, Report, UnreadableRequest,
};
use crate::runtime::Workers;

/// How many messages are taken in before other tasks get their turn.
const YIELD_EVERY: usize = 64;

/// How often a stopping service checks whether another process has subscribed to its channel.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// How long one such check may take, as long as callers wait before they suspect that a service is gone.
const COUNT_WITHIN: Duration = Duration::from_secs(1);

/// How long the last replies may take at the end of a drain: a bus that doesn't accept them by then is away.
const LAST_REPLIES: Duration = Duration::from_secs(2);

/// Answers the requests on the service's channel.
#[derive(Clone)]
pub(crate) struct Actions(Arc<Dispatcher>);

struct Dispatcher {
    core: Arc<Core>,
    registry: Arc<Registry>,
    limits: HandlerLimits,
    refusals: Refusals,
    built_ins: BuiltIns,
    running: Cancellations,
    /// The requests that have been admitted and whose final reply has not been sent.
    answering: TaskTracker,
    draining: CancellationToken,
    drained: CancellationToken,
    intakes: Intakes,
    workers: Workers,
    /// What ends after the handlers: the intake loop and the refusals.
    loops: Workers,
    pulse: Pulse,
}

impl Actions {
    pub(crate) fn new(
        core: Arc<Core>,
        registry: Arc<Registry>,
        limits: HandlerLimits,
        workers: Workers,
    ) -> Self {
        let (loops, drained) = (Workers::default(), CancellationToken::new());
        let refusals = Refusals::new(&core, limits.refusals, loops.clone(), drained.clone());
        let intakes = Intakes::open();
        Self(Arc::new(Dispatcher {
            built_ins: BuiltIns::new(&core, &registry, intakes.clone(), refusals.clone(), loops.clone()),
            refusals,
            core,
            registry,
            limits,
            running: Cancellations::default(),
            answering: TaskTracker::new(),
            draining: CancellationToken::new(),
            drained,
            intakes,
            workers,
            loops,
            pulse: Pulse::default(),
        }))
    }

    /// Subscribes to the service's channel, confirmed, and serves it until the end of the drain.
    pub(crate) async fn subscribe(&self, join: Join) -> Result<(), daebus_caller::BusError> {
        let core = &self.0.core;
        let refuse = {
            let this = self.clone();
            move |message: Message| this.take_in(&message, &Place::None)
        };
        let (queue, receiver) = Queue::refuse(self.0.limits.intake, refuse);
        let intake = Intake::open(core, Topic::Channel(core.service.shared()), queue, join).await?;
        self.0.loops.spawn(self.clone().serve(receiver));
        self.0.intakes.keep(intake);
        Ok(())
    }

    /// Refuses all further requests with `shutting_down`, and leaves the channel unless this process is its only
    /// subscriber: a caller that doesn't count receivers would otherwise wait until its timeout.
    pub(crate) async fn drain(&self) {
        self.0.draining.cancel();
        if !self.0.registry.has_actions() {
            return;
        }
        if self.is_alone().await {
            self.0.loops.spawn(self.clone().leave_to_successor());
        } else {
            self.0.refusals.expect_successor();
            self.0.intakes.leave().await;
        }
    }

    /// Ends the handlers that are still running, and waits a bounded time until `interrupted` has been sent to their
    /// callers.
    pub(crate) async fn interrupt(&self) {
        self.0.running.interrupt();
        self.0.answering.close();
        if timeout(LAST_REPLIES, self.0.answering.wait()).await.is_err() {
            warn!(within = ?LAST_REPLIES, "the bus has not accepted every last reply in time");
        }
    }

    /// Ends the drain: leaves the channel, and waits a bounded time until every refusal has been sent.
    pub(crate) async fn end(&self) {
        self.0.drained.cancel();
        self.0.intakes.leave().await;
        if !self.0.loops.drain(LAST_REPLIES).await {
            warn!(within = ?LAST_REPLIES, "the bus has not accepted every last refusal in time");
        }
        self.cut_off();
    }

    /// Ends all at once. Handlers are ended by their workers.
    pub(crate) fn cut_off(&self) {
        self.0.intakes.cut_off();
        self.0.loops.cut_off();
    }

    /// Leaves the channel as soon as another process has subscribed to it, since that one answers the requests.
    async fn leave_to_successor(self) {
        let successor = async {
            while self.is_alone().await {
                sleep(LOOK_AGAIN).await;
            }
        };
        if self.0.drained.run_until_cancelled(successor).await.is_some() {
            self.0.refusals.expect_successor();
            self.0.intakes.leave().await;
        }
    }

    /// Whether no other process is known to be subscribed to the service's channel.
    async fn is_alone(&self) -> bool {
        let Core { bus, service, .. } = &*self.0.core;
        if bus.counts_are_partial() {
            return false;
        }
        // While the bus is away nobody can take over.
        !matches!(timeout(COUNT_WITHIN, bus.subscribers(service.as_str())).await, Ok(Ok(2..)))
    }

    /// The actions that every service has.
    pub(crate) fn built_ins(&self) -> &BuiltIns {
        &self.0.built_ins
    }

    /// Whether messages are taken in, for a watchdog.
    pub(crate) fn pulse(&self) -> &Pulse {
        &self.0.pulse
    }

    async fn serve(self, mut receiver: QueueReceiver) {
        let mut beat = self.0.pulse.begin();
        loop {
            tokio::select! {
                biased;
                // First, since a busy loop turns too.
                () = beat.asked() => beat.answer(),
                messages = receiver.recv_all() => match messages {
                    Some(messages) => self.take_in_all(&messages).await,
                    None => break,
                },
            }
        }
        if self.0.draining.is_cancelled() {
            beat.end();
        }
    }

    /// Takes in the messages that waited, in order, except that a `$cancel` counts for the requests before it: under load the
    /// requests of callers that have given up would otherwise run first.
    async fn take_in_all(&self, messages: &[Message]) {
        // A panic over what a peer sent must not end the loop.
        let cancels = self.0.core.panics.contain_sync("intake", || WaitingCancels::among(messages));
        let cancels = cancels.unwrap_or_default();
        for key in cancels.keys() {
            self.take_back(key);
        }
        for (position, message) in messages.iter().enumerate() {
            self.take_in(message, &Place::Backlog { cancels: &cancels, position });
            if position % YIELD_EVERY == YIELD_EVERY - 1 {
                yield_now().await;
            }
        }
    }

    /// Takes one message in, without waiting for anything.
    ///
    /// A panic is contained: it must end neither the loop nor the bus's reader. Spawning the handler is the last step of
    /// [`admit`](Self::admit), so a request that panics there has not been run.
    fn take_in(&self, message: &Message, place: &Place<'_>) {
        let panics = &self.0.core.panics;
        let Err(panic) = panics.contain_sync("intake", || self.admit(message, place)) else { return };
        let channel = &*message.channel;
        error!(channel, %panic, "panic while a message was admitted; the message is not run");
        if let Ok(envelope) = Envelope::of_request(message) {
            self.0.refusals.push(&envelope, Reason::Failed(Fault::internal()));
        }
    }

    fn admit(&self, message: &Message, place: &Place<'_>) {
        let inner = &self.0;
        // Taken before the check of `draining`: the drain doesn't miss a handler that is about to be spawned.
        let _admitting = inner.workers.hold();
        let envelope = match Envelope::of_request(message) {
            Ok(envelope) => Arc::new(envelope),
            Err(UnreadableRequest { error, envelope }) => {
                let channel = &*message.channel;
                let begins = beginning(&message.payload);
                warn!(channel, %error, begins, "a message that can't be read; it is dropped");
                if let Some(envelope) = envelope {
                    let fault = format!("the message can't be read: {error}");
                    let fault = Fault::reserved(FaultCode::InvalidPayload, fault);
                    inner.refusals.push(&envelope, Reason::Failed(fault));
                }
                return;
            }
        };
        let Some(action) = envelope.action.as_deref() else {
            debug!(channel = &*message.channel, "a message without an action; it is ignored");
            return;
        };
        if action == "$cancel" {
            return self.cancel(&envelope);
        }
        if inner.built_ins.answer(action, &envelope) {
            return;
        }
        // First, since the refusal of a request that is no longer in flight must not be repeated.
        if let Place::Backlog { cancels, position } = place
            && cancels.covers(*position, &envelope)
        {
            let fault = Fault::reserved(FaultCode::Cancelled, "the caller took the request back");
            return inner.refusals.push(&envelope, Reason::Failed(fault));
        }
        if inner.draining.is_cancelled() {
            return inner.refusals.push(&envelope, Reason::ShuttingDown);
        }
        if matches!(place, Place::None) {
            return inner.refusals.push(&envelope, Reason::Overloaded);
        }
        if message.payload.len() > inner.limits.message_bytes {
            let (bytes, limit) = (message.payload.len(), inner.limits.message_bytes);
            warn!(
                channel = &*message.channel,
                action, bytes, limit, "a message over the size limit; it is not run"
            );
            let fault = format!("the message has {bytes} bytes, and this service takes {limit}");
            let fault = Fault::reserved(FaultCode::InvalidPayload, fault);
            return inner.refusals.push(&envelope, Reason::Failed(fault));
        }
        let Some(action) = inner.registry.action(action).cloned() else {
            let action = action.to_owned();
            return inner.refusals.push(&envelope, Reason::UnknownAction(action));
        };
        let own = action.definition.timeout;
        let budget = envelope.timeout.into_iter().chain(own).min().unwrap_or(inner.limits.timeout);
        // Counted from the reception: the caller's time went on while the request waited in the queue.
        let budget = budget.saturating_sub(message.received.elapsed());
        if budget.is_zero() {
            let fault = "the deadline passed before the handler could run";
            let fault = Fault::reserved(FaultCode::DeadlineExceeded, fault);
            return inner.refusals.push(&envelope, Reason::Failed(fault));
        }
        let Some(place) = inner.core.admission.admit(&action.definition) else {
            return inner.refusals.push(&envelope, Reason::Overloaded);
        };
        let deadline = Deadline::after(budget);
        let run = Invocation::new(&inner.core, "action", &action.definition, Report::Reply)
            .limited_by(inner.core.admission.turns());
        let span = run.span().clone();
        if let Some(id) = &envelope.request_id {
            span.record("request_id", id.as_str().trim_matches('"'));
        }
        let entry = inner.running.enter(key_of(&envelope));
        let (this, answering) = (self.clone(), inner.answering.token());
        let request = async move {
            this.answer(run, action, envelope, deadline, entry).await;
            drop((place, answering));
        };
        inner.workers.spawn(request.instrument(span));
    }

    /// Runs the handler and sends the one final reply. `$cancel` ends the handler, not the reply: a reply that is being
    /// published would be published twice.
    async fn answer(
        &self,
        run: Invocation,
        action: Arc<Endpoint>,
        envelope: Arc<Envelope>,
        deadline: Deadline,
        entry: CancellableRequest,
    ) {
        let run = run.traced(TraceContext::from_headers(&envelope.headers));
        let replier = Replier::of(&self.0.core, &envelope);
        let cx =
            Context::new(Arc::clone(&self.0.core), action.definition.name).with_message(envelope, deadline);
        let cx = match &replier {
            Some(replier) => cx.with_replier(Arc::clone(replier)),
            None => cx,
        };
        let outcome = tokio::select! {
            biased;
            ended_by = entry.ended() => Err(ended_by.failure(&self.0.core.service)),
            outcome = run.call(&action, cx) => outcome,
        };
        if let Some(replier) = replier {
            let outcome = outcome.as_ref().map_err(Failure::fault);
            if let Err(error) = replier.finish(outcome).await {
                warn!(channel = replier.channel(), %error, "the reply was not delivered");
            }
        }
    }

    fn cancel(&self, envelope: &Envelope) {
        let Some(key) = cancelled_key(envelope) else {
            debug!("a $cancel that names no request; it is ignored");
            return;
        };
        let known = self.take_back(&key);
        debug!(request_id = key.1, known, "$cancel received");
    }

    /// Ends the handler of a request and stops repeating its reply. Returns whether the request was known.
    fn take_back(&self, key: &RequestKey) -> bool {
        let (inbox, request_id) = key;
        let is_withdrawn = self.0.core.outbox.withdraw(inbox, request_id);
        self.0.running.cancel(key) || is_withdrawn
    }
}

/// Whether a message may take a place in the backlog; the intake's queue may have none for it.
#[derive(Debug)]
enum Place<'a> {
    /// `cancels` are those of the batch in which the message has this position.
    Backlog {
        cancels: &'a WaitingCancels,
        position: usize,
    },
    None,
}
