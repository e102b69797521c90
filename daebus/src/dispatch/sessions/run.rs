//! Runs the handler of one session.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use daebus_caller::deadline::Deadline;
use daebus_caller::session::{Session, SessionError};
use daebus_caller::wire::{Fault, FaultCode, RawJson, TraceContext};
use futures_util::StreamExt;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, warn};

use crate::dispatch::cancellations::{CancellableRequest, EndedBy};
use crate::handler::{
    Context, Core, Endpoint, Envelope, Failure, Invocation, Items, JsonOutcome, ReplyAddress, Report,
    RequestSession,
};

/// How long the handler of a session that has failed may run on: it finds the error in its stream or dialog.
const GRACE: Duration = Duration::from_secs(5);

/// How long the final reply is repeated while the caller's inbox has no receiver.
const FINAL_REPLY: Duration = Duration::from_secs(30);

/// How long a stream that a handler has returned goes on after the drain has begun. A stream that follows something has no end
/// of its own, and its caller opens another one at another instance.
const LAST_ITEMS: Duration = Duration::from_secs(5);

/// A request that opens a session, and everything to run it.
pub(super) struct SessionRun {
    pub(super) core: Arc<Core>,
    pub(super) session: Session,
    pub(super) action: Arc<Endpoint>,
    pub(super) envelope: Arc<Envelope>,
    pub(super) address: ReplyAddress,
    /// How long the caller waits until the session is open.
    pub(super) opening: Duration,
    pub(super) idle: Duration,
    pub(super) entry: CancellableRequest,
    pub(super) draining: CancellationToken,
}

impl SessionRun {
    /// Runs the handler, keeps the session alive meanwhile, and sends the final reply.
    pub(super) async fn run(self) {
        let outcome = self.outcome().await;
        let Self { core, session, address, .. } = &self;
        // The caller has ended a session that has failed, so the handler's outcome is not sent.
        let outcome = match session.failure() {
            Some(error) => Err(error.fault()),
            None => outcome.map(Some).map_err(|failure| failure.fault().clone()),
        };
        let is_cancelled =
            outcome.as_ref().is_err_and(|fault| fault.reserved_code() == Some(FaultCode::Cancelled));
        let message = session.finish(outcome);
        let deadline = if is_cancelled { Instant::now() } else { Instant::now() + FINAL_REPLY };
        let request_id = address.request_id.as_ref();
        let sent = core.outbox.reply(&address.channel, message, request_id, deadline, address.batching).await;
        if let Err(error) = sent {
            warn!(channel = &*address.channel, %error, "the final reply of a session was not delivered");
        }
    }

    async fn outcome(&self) -> JsonOutcome {
        let Self { core, session, action, envelope, entry, .. } = self;
        let run = Invocation::new(core, "action", &action.definition, Report::Reply);
        let span = run.span().clone();
        if let Some(id) = &envelope.request_id {
            span.record("request_id", id.as_str().trim_matches('"'));
        }
        let run = run.traced(TraceContext::from_headers(&envelope.headers));
        let mut cx =
            Context::new(Arc::clone(core), action.definition.name).with_open_message(Arc::clone(envelope));
        cx.extensions_mut().insert(RequestSession { session: session.clone(), idle: self.idle });
        let (begun, is_sending) = (Notify::new(), AtomicBool::new(false));
        let handler = action.run.clone().run(cx);
        let handler = async {
            begun.notify_one();
            session.accept().await.map_err(|error| Failure::from(error.fault()))?;
            match handler.await?.into_items() {
                Ok(items) => {
                    is_sending.store(true, Ordering::Relaxed);
                    self.send(items).await
                }
                Err(answer) => answer.into_json(),
            }
        };
        let mut run = pin!(run.run(None, Box::pin(handler)).instrument(span));
        let opening = Deadline::after(self.opening);
        let mut failed = pin!(async {
            if timeout_at(opening.instant(), begun.notified()).await.is_err() {
                let text = "the deadline passed before the handler could run";
                return Fault::reserved(FaultCode::DeadlineExceeded, text);
            }
            session.keep().await;
            // The handler finds the error where it waits for the caller. A stream has no other use.
            if !is_sending.load(Ordering::Relaxed) {
                sleep(GRACE).await;
            }
            session.failure().unwrap_or(SessionError::Over).fault()
        });
        tokio::select! {
            biased;
            ended_by = entry.ended() => Err(ended_by.fault(core.service.as_str()).into()),
            outcome = &mut run => outcome,
            fault = &mut failed => Err(fault.into()),
        }
    }

    /// Sends the items of the handler's stream, as the caller grants credit for them.
    async fn send(&self, mut items: Items) -> JsonOutcome {
        let mut drained = pin!(async {
            self.draining.cancelled().await;
            sleep(LAST_ITEMS).await;
        });
        let sending = async {
            while let Some(item) = items.next().await {
                let sent = self.session.send_item(item?).await;
                sent.map_err(|error| Failure::from(error.fault()))?;
            }
            Ok(RawJson::empty_object())
        };
        tokio::select! {
            biased;
            () = &mut drained => Err(EndedBy::Drain.fault(self.core.service.as_str()).into()),
            outcome = sending => outcome,
        }
    }
}
