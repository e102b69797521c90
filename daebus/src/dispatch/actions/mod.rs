//! Requests on the channels of the service and of this instance: admitted, run and answered.

mod arrivals;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use daebus_caller::bus::{Message, Queue, QueueReceiver};
use daebus_caller::deadline::Deadline;
use daebus_caller::wire::{Fault, FaultCode, TraceContext, beginning, is_session_action};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::yield_now;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::{TaskTracker, task_tracker::TaskTrackerToken};
use tracing::{debug, error, warn};

use crate::blueprint::Registry;
use crate::dispatch::HandlerLimits;
use crate::dispatch::batches::for_each_request;
use crate::dispatch::built_in::BuiltIns;
use crate::dispatch::cancellations::{CancellableRequest, Cancellations, EndedBy, RequestKey};
use crate::dispatch::early_cancels::EarlyCancels;
use crate::dispatch::episode::Incident;
use crate::dispatch::pulse::Pulse;
use crate::dispatch::refusals::{PushRefusal, Reason, Refusals};
use crate::dispatch::sessions::Sessions;
use crate::dispatch::shared::{Decision, Receivers, SharedRequests};
use crate::handler::{Context, Core, Endpoint, Envelope, Failure, Invocation, Report, UnreadableRequest};
use crate::presence::{Join, Membership, Taken};
use crate::runtime::Workers;

/// How many messages are taken in before other tasks get their turn.
const YIELD_EVERY: usize = 64;

/// How long the last replies may take at the end of a drain: a bus that doesn't accept them by then is away.
const LAST_REPLIES: Duration = Duration::from_secs(2);

/// Answers the requests on the channels of the service and of this instance.
#[derive(Clone)]
pub(crate) struct Actions(Arc<Dispatcher>);

struct Dispatcher {
    core: Arc<Core>,
    registry: Arc<Registry>,
    limits: HandlerLimits,
    refusals: Refusals,
    built_ins: BuiltIns,
    running: Cancellations,
    early_cancels: EarlyCancels,
    sessions: Sessions,
    /// The requests that have been admitted and whose final reply has not been sent.
    answering: TaskTracker,
    draining: CancellationToken,
    drained: CancellationToken,
    shared: SharedRequests,
    workers: Workers,
    /// What ends after the handlers: the intake loop and the refusals.
    loops: Workers,
    pulse: Pulse,
}

impl Actions {
    pub(crate) fn new(
        core: Arc<Core>,
        registry: Arc<Registry>,
        (membership, everyone): (Membership, bool),
        limits: HandlerLimits,
        workers: Workers,
    ) -> Self {
        let (loops, drained) = (Workers::default(), CancellationToken::new());
        let refusals = Refusals::new(&core, limits.refusals, loops.clone(), drained.clone());
        let (running, draining, answering) =
            (Cancellations::default(), CancellationToken::new(), TaskTracker::new());
        let ends = (&draining, &answering);
        Self(Arc::new(Dispatcher {
            built_ins: BuiltIns::new(&core, &registry, refusals.clone(), loops.clone()),
            shared: SharedRequests::new(&core, membership, everyone, limits.intake.bytes),
            sessions: Sessions::new(&core, limits, &refusals, &running, ends, &workers),
            refusals,
            core,
            registry,
            limits,
            running,
            early_cancels: EarlyCancels::default(),
            answering,
            draining,
            drained,
            workers,
            loops,
            pulse: Pulse::default(),
        }))
    }

    /// Joins the service's other instances, and serves the channels of both until the end of the drain.
    pub(crate) async fn join(&self, how: Join) -> Result<Result<(), Taken>, daebus_caller::BusError> {
        let (refusing, arriving) = (self.clone(), self.clone());
        let refuse = move |message: Message| refusing.take_in(&message, false);
        let (queue, receiver) = Queue::refuse(self.0.limits.intake, refuse);
        let arrived = Arc::clone(&queue);
        let arrivals = move |message: Message| arriving.arrive(message, &arrived);
        self.0.built_ins.meter(queue.meter());
        self.0.loops.spawn(self.clone().serve(receiver));
        self.membership().join(Arc::new(arrivals), queue, how).await
    }

    pub(crate) fn membership(&self) -> &Membership {
        self.0.shared.membership()
    }

    /// Refuses all further requests with `shutting_down`, and leaves the service's channel unless no other instance takes
    /// requests: a caller that doesn't count receivers would otherwise wait until its timeout.
    pub(crate) async fn drain(&self) {
        self.0.draining.cancel();
        let refusals = self.0.refusals.clone();
        self.membership().drain(move || refusals.expect_successor(), self.0.drained.clone()).await;
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
        self.membership().close().await;
        if !self.0.loops.drain(LAST_REPLIES).await {
            warn!(within = ?LAST_REPLIES, "the bus has not accepted every last refusal in time");
        }
        self.cut_off();
    }

    /// Ends all at once. Handlers are ended by their workers.
    pub(crate) fn cut_off(&self) {
        self.membership().cut_off();
        self.0.loops.cut_off();
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
        let (mut beat, mut taken) = (self.0.pulse.begin(), 0_usize);
        loop {
            tokio::select! {
                biased;
                // First, since a busy loop turns too.
                () = beat.asked() => beat.answer(),
                message = receiver.recv() => match message {
                    Some(message) => self.take_in(&message, true),
                    None => break,
                },
            }
            taken += 1;
            if taken % YIELD_EVERY == 0 {
                yield_now().await;
            }
        }
        if self.0.draining.is_cancelled() {
            beat.end();
        }
    }

    /// Takes the requests of one message in, without waiting for anything.
    fn take_in(&self, message: &Message, has_room: bool) {
        for_each_request(message, &self.0.refusals, |request| self.take_in_request(request, has_room));
    }

    /// A panic is contained: it must end neither the loop nor the bus's reader. Spawning the handler is the last step of
    /// [`admit`](Self::admit), so a request that panics there has not been run.
    fn take_in_request(&self, message: &Message, has_room: bool) {
        let panics = &self.0.core.panics;
        let Err(panic) = panics.contain_sync("intake", || self.admit(message, has_room)) else { return };
        error!(channel = &*message.channel, %panic, "panic in the intake; the message is not run");
        if let Ok(envelope) = Envelope::of_request(message) {
            self.0.refusals.push(&envelope, Reason::Failed(Fault::internal()));
        }
    }

    fn admit(&self, message: &Message, has_room: bool) {
        let inner = &self.0;
        // Taken before the check of `draining`: the drain doesn't miss a handler that is about to be spawned.
        let _admitting = inner.workers.hold();
        let envelope = match Envelope::of_request(message) {
            Ok(envelope) => Arc::new(envelope),
            Err(UnreadableRequest { error, envelope }) => {
                if inner.refusals.count(Incident::Unreadable) {
                    let (channel, begins) = (&*message.channel, beginning(&message.payload));
                    warn!(channel, %error, begins, "message dropped: unreadable; further ones are counted");
                }
                if let Some(envelope) = envelope {
                    let fault = format!("the message can't be read: {error}");
                    let fault = Fault::reserved(FaultCode::InvalidPayload, fault);
                    inner.refusals.push(&envelope, Reason::Failed(fault));
                }
                return;
            }
        };
        let Some(action) = envelope.action.as_deref() else {
            return debug!(channel = &*message.channel, "a message without an action is ignored");
        };
        if action == "$cancel" {
            return self.cancel(&envelope);
        }
        if inner.built_ins.answer(action, &envelope) {
            return;
        }
        if !inner.shared.may_answer(&envelope) {
            return debug!("a message to an instance id that another process has; it is ignored");
        }
        if is_session_action(action) {
            // Another process may have taken over the id of an instance that has lapsed, and its sessions go on.
            if !inner.shared.is_shared(&envelope) && inner.shared.receivers(&envelope) == Receivers::Sole {
                inner.sessions.take_in(&envelope);
            }
            return;
        }
        let key = inner.running.keys().of(&envelope);
        // First, since the refusal of a request that is no longer in flight must not be repeated.
        if inner.early_cancels.take(key, envelope.received) {
            return inner.refusals.push(&envelope, Reason::Cancelled);
        }
        if inner.shared.receivers(&envelope) == Receivers::Sole {
            self.run_or_refuse(&envelope, key, has_room, None, Refusals::push);
        } else {
            self.wait_for_claim(envelope, key, has_room);
        }
    }

    /// Runs or refuses a request that other instances may have received as well, once that is decided.
    fn wait_for_claim(&self, envelope: Arc<Envelope>, key: Option<RequestKey>, has_room: bool) {
        let inner = &self.0;
        let Some(waiting) = inner.shared.place(envelope.raw.as_bytes().len()) else {
            if !inner.shared.is_shared(&envelope) {
                inner.refusals.push(&envelope, Reason::Overloaded);
            }
            return;
        };
        let entry = inner.running.enter(key);
        // The end of the drain waits until the request is refused.
        let (this, answering) = (self.clone(), inner.answering.token());
        inner.workers.spawn(async move {
            let (inner, _answering) = (&this.0, answering);
            let action = envelope.action.as_deref().and_then(|action| inner.registry.action(action));
            let reserve = || {
                let takes_requests = has_room && !inner.draining.is_cancelled();
                action
                    .filter(|_| takes_requests)
                    .and_then(|action| inner.core.admission.admit(&action.definition))
            };
            let decision = inner.shared.decide(&envelope, &entry, action.is_some(), reserve).await;
            drop((entry, waiting));
            match decision {
                Decision::Answer(place) => {
                    this.run_or_refuse(&envelope, key, has_room, place, Refusals::push_claimed);
                }
                Decision::Refuse(reason) => inner.refusals.push(&envelope, reason),
                Decision::Ignore => {}
            }
        });
    }

    /// Starts the handler of a request, or refuses the request with `push`. A request that has its `place` was admitted before
    /// it was claimed: it runs even if the drain has begun meanwhile.
    fn run_or_refuse(
        &self,
        envelope: &Arc<Envelope>,
        key: Option<RequestKey>,
        has_room: bool,
        place: Option<OwnedSemaphorePermit>,
        push: PushRefusal,
    ) {
        let inner = &self.0;
        let refuse = |reason| push(&inner.refusals, envelope, reason);
        let action = envelope.action.as_deref().unwrap_or_default();
        if place.is_none() && inner.draining.is_cancelled() {
            return refuse(Reason::ShuttingDown);
        }
        if !has_room {
            return refuse(Reason::Overloaded);
        }
        let (bytes, limit) = (envelope.raw.as_bytes().len(), inner.limits.message_bytes);
        if bytes > limit {
            if inner.refusals.count(Incident::Oversized) {
                let channel = &*envelope.channel;
                warn!(channel, action, bytes, limit, "request not run: too large; further ones are counted");
            }
            let fault = format!("the message has {bytes} bytes, and this service takes {limit}");
            let fault = Fault::reserved(FaultCode::InvalidPayload, fault);
            return refuse(Reason::Failed(fault));
        }
        let Some(action) = inner.registry.action(action).cloned() else {
            return refuse(Reason::UnknownAction(action.to_owned()));
        };
        if action.definition.session || envelope.session.is_some() {
            if let Err(reason) = inner.sessions.open(envelope, &action) {
                return refuse(reason);
            }
            // A `$cancel` that arrived before the session was entered has not found it.
            if inner.early_cancels.take(key, envelope.received)
                && let Some(key) = key
            {
                inner.running.cancel(key);
            }
            return;
        }
        let own = action.definition.timeout;
        let budget = envelope.timeout.into_iter().chain(own).min().unwrap_or(inner.limits.timeout);
        // Counted from the reception: the caller's time went on while the request waited in the queue.
        let budget = budget.saturating_sub(envelope.received.elapsed());
        if budget.is_zero() {
            let fault = "the deadline passed before the handler could run";
            let fault = Fault::reserved(FaultCode::DeadlineExceeded, fault);
            return refuse(Reason::Failed(fault));
        }
        let Some(place) = place.or_else(|| inner.core.admission.admit(&action.definition)) else {
            return refuse(Reason::Overloaded);
        };
        let deadline = Deadline::after(budget);
        let run = Invocation::new(&inner.core, "action", &action.definition, Report::Reply)
            .limited_by(inner.core.admission.turns());
        let span = run.span().clone();
        if let Some(id) = envelope.request_id.as_ref().filter(|_| !span.is_disabled()) {
            span.record("request_id", id.as_str().trim_matches('"'));
        }
        let entry = inner.running.enter(key);
        // A `$cancel` that arrived before the entry was made has not found it.
        if inner.early_cancels.take(key, envelope.received) {
            return refuse(Reason::Cancelled);
        }
        let held = (entry, place, inner.answering.token());
        let answer = self.clone().answer(run, action, Arc::clone(envelope), deadline, held, push);
        // Boxed once, since a task copies its future several times.
        inner.workers.spawn_in(span, Box::pin(answer));
    }

    /// Runs the handler and sends the one final reply. `$cancel` ends the handler, not the reply: a reply that is being
    /// published would be published twice.
    fn answer(
        self,
        run: Invocation,
        action: Arc<Endpoint>,
        envelope: Arc<Envelope>,
        deadline: Deadline,
        held: (CancellableRequest, OwnedSemaphorePermit, TaskTrackerToken),
        push: PushRefusal,
    ) -> impl Future<Output = ()> + Send + 'static {
        // Not an `async fn`, which would store its arguments twice.
        let run = run.traced(TraceContext::from_headers(&envelope.headers));
        async move {
            let (entry, _place, _answering) = held;
            let replier = self.0.refusals.replier(&envelope);
            let cx = Context::new(Arc::clone(&self.0.core), action.definition.name)
                .with_message(Arc::clone(&envelope), deadline)
                .with_replier(replier.clone());
            let has_begun = AtomicBool::new(false);
            let ended = entry.run(run.call_noting(&action, cx, &has_begun)).await;
            let outcome = match ended {
                Ok(outcome) => outcome,
                Err(EndedBy::Drain) if !has_begun.load(Ordering::Relaxed) => {
                    return push(&self.0.refusals, &envelope, Reason::ShuttingDown);
                }
                Err(ended_by) => Err(ended_by.fault(self.0.core.service.as_str()).into()),
            };
            if let Some(replier) = replier {
                let outcome = outcome.as_ref().map_err(Failure::fault);
                if let Err(error) = replier.finish(outcome).await {
                    warn!(channel = replier.channel(), %error, "the reply was not delivered");
                }
            }
        }
    }
}
