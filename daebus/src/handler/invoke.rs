//! Runs a handler: waits for its turn, bounds its time, contains its panic and logs its failure.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use daebus_caller::deadline::{self, Deadline};
use daebus_caller::trace;
use daebus_caller::wire::{Fault, FaultCode, TraceContext};
use futures_util::FutureExt;
use futures_util::future::Either;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use tracing::field::Empty;
use tracing::{Instrument, Span, debug, error, info_span, warn};

use super::context::Context;
use super::core::Core;
use super::definition::{Definition, Source};
use super::endpoint::Endpoint;
use super::failure::Failure;
use super::outcome::JsonOutcome;
use super::turn::{InFlightGuard, Turn, with_turn};
use crate::statistics::{Ending, HandlerStatistics};

/// How the failure of a handler is logged.
pub(crate) enum Report {
    /// The reply carries the error to the peer; the log records the internal reason.
    Reply,
    /// No peer receives the error, so the log has all of it.
    Log,
    /// As [`Log`](Self::Log), except for a broadcast that the handler can't read: the listener counts it.
    Broadcast,
    /// The code that invokes the handler reports the failure.
    Invoker,
}

/// What runs, as log lines name it.
enum Subject {
    Function(Source),
    Feature(String),
}

impl Subject {
    fn noun(&self) -> &'static str {
        match self {
            Self::Function(_) => "the handler",
            Self::Feature(_) => "the feature",
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Function(source) => source.fmt(f),
            Self::Feature(name) => f.write_str(name),
        }
    }
}

/// One run of a handler. Counts as in flight from its creation.
pub(crate) struct Invocation {
    core: Arc<Core>,
    subject: Subject,
    own_limit: Option<Arc<Semaphore>>,
    service_limit: Option<Arc<Semaphore>>,
    own_permit: Option<OwnedSemaphorePermit>,
    in_flight: Option<InFlightGuard>,
    waiting: Option<InFlightGuard>,
    statistics: Option<Arc<HandlerStatistics>>,
    report: Report,
    trace: Option<Arc<TraceContext>>,
    span: Span,
}

impl Invocation {
    /// A run of a handler. `trigger` names its kind in log lines.
    pub(crate) fn new(
        core: &Arc<Core>,
        trigger: &'static str,
        definition: &Definition,
        report: Report,
    ) -> Self {
        let Definition { name, source, limit, in_flight, waiting, statistics, .. } = definition;
        Self {
            own_limit: limit.clone(),
            in_flight: Some(in_flight.enter()),
            waiting: Some(waiting.enter()),
            statistics: Some(Arc::clone(statistics)),
            ..Self::of(core, trigger, name, Subject::Function(*source), report)
        }
    }

    /// A run of a handler that waits for the handler's own limit now, and doesn't count as in flight until then.
    pub(crate) async fn admitted(
        core: &Arc<Core>,
        trigger: &'static str,
        definition: &Definition,
        report: Report,
    ) -> Self {
        let own_permit = acquire(definition.limit.clone()).await;
        Self { own_limit: None, own_permit, ..Self::new(core, trigger, definition, report) }
    }

    /// A run of a part of a feature.
    pub(crate) fn of_feature(core: &Arc<Core>, name: &str) -> Self {
        Self::of(core, "feature", name, Subject::Feature(name.to_owned()), Report::Invoker)
    }

    fn of(core: &Arc<Core>, trigger: &'static str, name: &str, subject: Subject, report: Report) -> Self {
        let span = handler_span(core, trigger, name);
        Self {
            core: Arc::clone(core),
            subject,
            own_limit: None,
            service_limit: None,
            own_permit: None,
            in_flight: None,
            waiting: None,
            statistics: None,
            report,
            trace: None,
            span,
        }
    }

    /// Also applies the service's concurrency limit.
    pub(crate) fn limited_by(mut self, service_limit: &Arc<Semaphore>) -> Self {
        self.service_limit = Some(Arc::clone(service_limit));
        self
    }

    /// Runs within the trace of the request: the span has its ids, and calls that the handler makes carry it.
    pub(crate) fn traced(mut self, trace: Option<TraceContext>) -> Self {
        if let Some(trace) = &trace {
            self.span.record("trace_id", trace.trace_id());
            self.span.record("traceparent", trace.traceparent());
        }
        self.trace = trace.map(Arc::new);
        self
    }

    /// Runs in `span` instead of a span of its own.
    pub(crate) fn in_span(self, span: Span) -> Self {
        Self { span, ..self }
    }

    /// Returns the span of the run, which has the fields `request_id`, `channel` and `client` to record.
    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    /// Runs an endpoint within the deadline of its context.
    pub(crate) fn call(self, endpoint: &Endpoint, cx: Context) -> impl Future<Output = JsonOutcome> {
        let (deadline, handler) = (cx.deadline, endpoint.run.run(cx));
        self.run(deadline, async move { handler.await?.into_json() })
    }

    /// As [`call`](Self::call). Sets `has_begun` when the handler gets its turn.
    pub(crate) fn call_noting(
        self,
        endpoint: &Endpoint,
        cx: Context,
        has_begun: &AtomicBool,
    ) -> impl Future<Output = JsonOutcome> {
        let (deadline, handler) = (cx.deadline, endpoint.run.run(cx));
        let noted = async move {
            has_begun.store(true, Ordering::Relaxed);
            handler.await?.into_json()
        };
        self.run(deadline, noted)
    }

    /// Runs a handler. A panic becomes a failure; calls that the handler makes inherit the deadline.
    ///
    /// A large handler is to be boxed: the futures around it hold it more than once.
    // Neither this nor what it calls is an `async fn`, which would store its arguments twice.
    pub(crate) fn run<T>(
        self,
        deadline: Option<Deadline>,
        handler: impl Future<Output = Result<T, Failure>>,
    ) -> impl Future<Output = Result<T, Failure>> {
        let span = self.span.clone();
        let run = self.run_in_span(deadline, handler);
        if span.is_disabled() { Either::Left(run) } else { Either::Right(run.instrument(span)) }
    }

    fn run_in_span<T>(
        self,
        deadline: Option<Deadline>,
        handler: impl Future<Output = Result<T, Failure>>,
    ) -> impl Future<Output = Result<T, Failure>> {
        let mut this = self;
        async move {
            let turn = match this.free_turn() {
                Some(turn) => Some(turn),
                // Boxed: most runs needn't wait.
                None => Box::pin(within(deadline, this.turn())).await,
            };
            let began = Instant::now();
            // A turn that is free at once doesn't show that the deadline has passed.
            let turn = turn.filter(|_| deadline.is_none_or(|deadline| deadline.instant() > began));
            let mut begins_timeouts = false;
            let result = match turn {
                None => {
                    if let Some(statistics) = &this.statistics {
                        statistics.expired();
                    }
                    Err(deadline_exceeded("the deadline passed before the handler could run"))
                }
                Some(turn) => {
                    let running = this.statistics.take().map(|statistics| statistics.begin(began));
                    let handler = with_turn(turn, this.core.panics.contain(&this.subject, handler));
                    let handler = trace::scope(this.trace.take(), handler);
                    let ended = match deadline {
                        Some(deadline) => within(Some(deadline), deadline::scope(deadline, handler)).await,
                        None => Some(handler.await),
                    };
                    let (ending, result) = match ended {
                        Some(Ok(Ok(value))) => (Ending::Success, Ok(value)),
                        Some(Ok(Err(failure))) => (Ending::Error, Err(failure)),
                        Some(Err(panic)) => {
                            let reason = format!("{} panicked: {panic}", this.subject.noun());
                            (Ending::Panic, Err(Failure::internal(reason)))
                        }
                        None => {
                            let error = "the handler did not finish within its time limit";
                            (Ending::Timeout, Err(deadline_exceeded(error)))
                        }
                    };
                    if let Some(running) = running {
                        if let Err(failure) = &result {
                            running.failed(failure.fault(), this.core.clock.now());
                        }
                        begins_timeouts = running.end(ending);
                    }
                    result
                }
            };
            if let Err(failure) = &result {
                this.log(failure, begins_timeouts);
            }
            result
        }
    }

    /// Returns a turn if none of the limits has to be waited for. A permit that is free is not one that others wait for.
    fn free_turn(&mut self) -> Option<Turn> {
        if let Some(limit) = self.own_limit.take() {
            match Arc::clone(&limit).try_acquire_owned() {
                Ok(permit) => self.own_permit = Some(permit),
                Err(_) => self.own_limit = Some(limit),
            }
        }
        if self.own_limit.is_some() {
            return None;
        }
        let service = match &self.service_limit {
            Some(limit) => Some(Arc::clone(limit).try_acquire_owned().ok()?),
            None => None,
        };
        self.waiting = None;
        Some(Turn::new(self.own_permit.take(), service, self.in_flight.take()))
    }

    /// Acquires the handler's own limit before the service's, so that runs that wait for a slow handler hold no permit
    /// of the service.
    async fn turn(&mut self) -> Turn {
        let own = acquire(self.own_limit.take()).await.or(self.own_permit.take());
        let service = acquire(self.service_limit.take()).await;
        self.waiting = None;
        Turn::new(own, service, self.in_flight.take())
    }

    fn log(&self, failure: &Failure, begins_timeouts: bool) {
        let source = &self.subject;
        match (&self.report, failure.internal_reason()) {
            (Report::Invoker, _) => {}
            (Report::Reply, None) if begins_timeouts => {
                warn!(%source, error = %failure.fault(), "handler timed out; further timeouts are logged after a minute without one");
            }
            (Report::Reply, None) => debug!(%source, error = %failure.fault(), "handler returned an error"),
            (Report::Broadcast, _) if failure.fault().reserved_code() == Some(FaultCode::InvalidPayload) => {}
            (Report::Reply | Report::Log | Report::Broadcast, _) => {
                error!(%source, reason = %failure, "handler failed");
            }
        }
    }
}

/// Creates the span of a handler's log lines. `trigger` names the kind of handler.
pub(crate) fn handler_span(core: &Core, trigger: &'static str, name: &str) -> Span {
    info_span!(
        "handler",
        service = core.service.as_str(),
        trigger,
        handler = name,
        request_id = Empty,
        channel = Empty,
        client = Empty,
        trace_id = Empty,
        traceparent = Empty,
    )
}

fn deadline_exceeded(error: &str) -> Failure {
    Fault::reserved(FaultCode::DeadlineExceeded, error).into()
}

fn within<T>(deadline: Option<Deadline>, future: impl Future<Output = T>) -> impl Future<Output = Option<T>> {
    match deadline {
        Some(deadline) => Either::Left(timeout_at(deadline.instant(), future).map(Result::ok)),
        None => Either::Right(future.map(Some)),
    }
}

async fn acquire(limit: Option<Arc<Semaphore>>) -> Option<OwnedSemaphorePermit> {
    // The limits are never closed, so each gives a permit.
    limit?.acquire_owned().await.ok()
}
