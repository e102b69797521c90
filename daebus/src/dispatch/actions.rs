//! Requests on the service's channel: taken in, run, answered.

use std::sync::Arc;

use daebus_caller::bus::{Message, Queue, QueueReceiver, Topic};
use daebus_caller::deadline::Deadline;
use daebus_caller::wire::{Fault, FaultCode, RawJson, beginning};
use serde_json::value::RawValue;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, debug, error, warn};

use super::HandlerLimits;
use super::cancellations::{CancellableRequest, Cancellations, RequestKey};
use super::intake::{Intake, Join};
use super::pulse::Pulse;
use crate::blueprint::Registry;
use crate::handler::{
    Context, Core, Endpoint, Envelope, Failure, Invocation, Replier, Report, UnreadableRequest,
};
use crate::runtime::Workers;

/// Replies of the kind "not run" that are on their way at once; past it the caller's own timeout has to do.
const REFUSALS: usize = 1024;

/// Answers the requests on the service's channel.
#[derive(Clone)]
pub(crate) struct Actions(Arc<Dispatcher>);

struct Dispatcher {
    core: Arc<Core>,
    registry: Arc<Registry>,
    limits: HandlerLimits,
    /// Everything that runs or waits to run.
    admitted: Arc<Semaphore>,
    /// Everything that runs.
    turns: Arc<Semaphore>,
    refusals: Arc<Semaphore>,
    running: Cancellations,
    draining: CancellationToken,
    workers: Workers,
    pulse: Pulse,
}

impl Actions {
    pub(crate) fn new(
        core: Arc<Core>,
        registry: Arc<Registry>,
        limits: HandlerLimits,
        workers: Workers,
    ) -> Self {
        Self(Arc::new(Dispatcher {
            core,
            registry,
            limits,
            admitted: Arc::new(Semaphore::new(limits.concurrency.saturating_add(limits.backlog))),
            turns: Arc::new(Semaphore::new(limits.concurrency)),
            refusals: Arc::new(Semaphore::new(REFUSALS)),
            running: Cancellations::default(),
            draining: CancellationToken::new(),
            workers,
            pulse: Pulse::default(),
        }))
    }

    /// Subscribes to the service's channel, confirmed, and serves it until the intake is left.
    pub(crate) async fn subscribe(&self, join: Join) -> Result<Intake, daebus_caller::BusError> {
        let core = &self.0.core;
        let refuse = {
            let this = self.clone();
            move |message: Message| this.take_in(&message, Some(FaultCode::Overloaded))
        };
        let (queue, receiver) = Queue::refuse(self.0.limits.intake, refuse);
        let intake = Intake::open(core, Topic::Channel(core.service.shared()), queue, join).await?;
        self.0.workers.spawn(self.clone().serve(receiver));
        Ok(intake)
    }

    /// From now on requests are answered with `shutting_down`.
    pub(crate) fn drain(&self) {
        self.0.draining.cancel();
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
                message = receiver.recv() => match message {
                    Some(message) => self.take_in(&message, None),
                    None => break,
                },
            }
        }
        if self.0.draining.is_cancelled() {
            beat.end();
        }
    }

    /// Takes one message in, without waiting for anything. `refused`: the request is not run, for this reason.
    ///
    /// A panic is contained: it must end neither the loop nor the bus's reader. Spawning the handler is the last step of
    /// [`admit`](Self::admit), so a request that panics there has not been run.
    fn take_in(&self, message: &Message, refused: Option<FaultCode>) {
        let panics = &self.0.core.panics;
        let Err(panic) = panics.contain_sync("intake", || self.admit(message, refused)) else { return };
        let channel = &*message.channel;
        error!(channel, %panic, "panic while a message was admitted; the message is not run");
        if let Ok(envelope) = Envelope::of_request(message) {
            self.refuse(Arc::new(envelope), Fault::internal());
        }
    }

    fn admit(&self, message: &Message, refused: Option<FaultCode>) {
        let inner = &self.0;
        let envelope = match Envelope::of_request(message) {
            Ok(envelope) => Arc::new(envelope),
            Err(UnreadableRequest { error, envelope }) => {
                let channel = &*message.channel;
                let begins = beginning(&message.payload);
                warn!(channel, %error, begins, "a message that can't be read; it is dropped");
                if let Some(envelope) = envelope {
                    let fault = format!("the message can't be read: {error}");
                    self.refuse(Arc::from(envelope), Fault::reserved(FaultCode::InvalidPayload, fault));
                }
                return;
            }
        };
        let Some(action) = envelope.action.as_deref() else {
            debug!(channel = &*message.channel, "a message without an action; it is ignored");
            return;
        };
        if action == "$cancel" {
            self.cancel(envelope.payload.as_ref());
            return;
        }
        let refused = if inner.draining.is_cancelled() { Some(FaultCode::ShuttingDown) } else { refused };
        if let Some(code) = refused {
            return self.refuse_not_run(envelope, code);
        }
        if message.payload.len() > inner.limits.message_bytes {
            let (bytes, limit) = (message.payload.len(), inner.limits.message_bytes);
            warn!(
                channel = &*message.channel,
                action, bytes, limit, "a message over the size limit; it is not run"
            );
            let fault = format!("the message has {bytes} bytes, and this service takes {limit}");
            return self.refuse(envelope, Fault::reserved(FaultCode::InvalidPayload, fault));
        }
        let Some(action) = inner.registry.action(action).cloned() else {
            return self.unknown_action(envelope);
        };
        let Ok(place) = Arc::clone(&inner.admitted).try_acquire_owned() else {
            return self.refuse_not_run(envelope, FaultCode::Overloaded);
        };
        let own = action.definition.timeout;
        let budget = envelope.timeout.into_iter().chain(own).min().unwrap_or(inner.limits.timeout);
        let deadline = Deadline::after(budget);
        let run = Invocation::new(&inner.core, "action", &action.definition, Report::Reply)
            .limited_by(&inner.turns);
        let span = run.span().clone();
        if let Some(id) = &envelope.request_id {
            span.record("request_id", id.as_str().trim_matches('"'));
        }
        let entry = inner.running.enter(key_of(&envelope));
        let this = self.clone();
        let request = async move {
            this.answer(run, action, envelope, deadline, entry).await;
            drop(place);
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
        let replier = self.replier(&envelope);
        let cx =
            Context::new(Arc::clone(&self.0.core), action.definition.name).with_message(envelope, deadline);
        let cx = match &replier {
            Some(replier) => cx.with_replier(Arc::clone(replier)),
            None => cx,
        };
        let outcome = tokio::select! {
            biased;
            () = entry.cancelled() => Err(cancelled()),
            outcome = run.call(&action, cx) => outcome,
        };
        if let Some(replier) = replier {
            let outcome = outcome.as_ref().map_err(Failure::fault);
            if let Err(error) = replier.finish(outcome).await {
                warn!(channel = replier.channel(), %error, "the reply was not delivered");
            }
        }
    }

    fn cancel(&self, payload: Option<&RawJson>) {
        #[derive(serde::Deserialize)]
        struct Cancel<'a> {
            #[serde(borrow)]
            request_id: &'a RawValue,
            reply_to: String,
        }
        let cancel = payload.and_then(|payload| serde_json::from_str::<Cancel<'_>>(payload.as_str()).ok());
        let Some(cancel) = cancel else {
            debug!("a $cancel that names no request; it is ignored");
            return;
        };
        let known = self.0.running.cancel(&(cancel.reply_to, cancel.request_id.get().to_owned()));
        debug!(request_id = cancel.request_id.get(), known, "the caller takes a request back");
    }

    /// Says so where that can't be wrong: on a shared channel another process may have the action.
    fn unknown_action(&self, envelope: Arc<Envelope>) {
        let Some(action) = envelope.action.clone() else { return };
        if envelope.reply_channel(self.0.core.service.as_str()).is_none() {
            debug!(action, "no handler for this one-way action");
            return;
        }
        let this = self.clone();
        self.spawn_refusal(async move {
            let service = this.0.core.service.as_str();
            let alone = matches!(this.0.core.bus.subscribers(service).await, Ok(1));
            debug!(service, action, alone, "no handler for this action");
            if alone {
                let fault = format!("{service} has no action {action:?}");
                this.finish(&envelope, &Fault::reserved(FaultCode::UnknownAction, fault)).await;
            }
        });
    }

    fn refuse_not_run(&self, envelope: Arc<Envelope>, code: FaultCode) {
        let service = self.0.core.service.as_str();
        let words = match code {
            FaultCode::ShuttingDown => format!("{service} is shutting down; the request was not run"),
            _ => format!("{service} has too much to do; the request was not run"),
        };
        self.refuse(envelope, Fault::reserved(code, words));
    }

    fn refuse(&self, envelope: Arc<Envelope>, fault: Fault) {
        let this = self.clone();
        self.spawn_refusal(async move { this.finish(&envelope, &fault).await });
    }

    fn spawn_refusal(&self, refusal: impl Future<Output = ()> + Send + 'static) {
        match Arc::clone(&self.0.refusals).try_acquire_owned() {
            Ok(permit) => {
                self.0.workers.spawn(async move {
                    refusal.await;
                    drop(permit);
                });
            }
            Err(_) => warn!("too many refusals are on their way; this caller is left to its timeout"),
        }
    }

    async fn finish(&self, envelope: &Envelope, fault: &Fault) {
        let Some(replier) = self.replier(envelope) else { return };
        let not_run =
            [FaultCode::Overloaded, FaultCode::ShuttingDown, FaultCode::UnknownAction].map(FaultCode::as_str);
        let sent = if fault.code().is_some_and(|code| not_run.contains(&code)) {
            replier.refuse(fault).await
        } else {
            replier.finish(Err(fault)).await
        };
        if let Err(error) = sent {
            warn!(channel = replier.channel(), %error, "the reply was not delivered");
        }
    }

    fn replier(&self, envelope: &Envelope) -> Option<Arc<Replier>> {
        let core = &self.0.core;
        let channel = envelope.reply_channel(core.service.as_str())?;
        let request_id = envelope.request_id.clone();
        Some(Arc::new(Replier::new(channel, request_id, core.instance.clone(), core.outbox.clone())))
    }
}

fn cancelled() -> Failure {
    debug!("request cancelled by its caller");
    Fault::reserved(FaultCode::Cancelled, "the caller took the request back").into()
}

/// Only a request with an inbox and an id can be taken back.
fn key_of(envelope: &Envelope) -> Option<RequestKey> {
    Some((envelope.reply_to.clone()?, envelope.request_id.as_ref()?.as_str().to_owned()))
}
