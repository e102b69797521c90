//! The supervisor of a thread: starts it, requests it to stop, logs an unexpected end, and restarts it if configured.

use std::sync::Arc;
use std::time::Duration;

use daebus_caller::__private::Backoff;
use tokio::time::Instant;
use tracing::{Instrument, Span, debug, error, info, warn};

use super::control::{ThreadControl, ThreadRun};
use super::{Restart, Threaded};
use crate::handler::{Context, Core, Failure, Invocation, Report, handler_span};

/// The kind of handler in log lines.
const TRIGGER: &str = "thread";

/// The delay before the first restart, and the longest one.
const FIRST_DELAY: Duration = Duration::from_secs(1);
const MAX_DELAY: Duration = Duration::from_secs(60);

/// The delay is reset once a thread has run this long.
const STABLE_AFTER: Duration = Duration::from_secs(60);

/// Supervises a thread until the service is requested to stop and the thread has ended.
pub(super) async fn supervise(core: Arc<Core>, entry: Threaded, control: Arc<ThreadControl>) {
    let span = handler_span(&core, TRIGGER, entry.endpoint.definition.name);
    let watch = async {
        let shutdown = core.shutdown.clone();
        let closing = async {
            shutdown.requested().await;
            control.close();
            // The other branch waits for the end of the thread.
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = closing => {}
            () = keep(&core, &entry, &control) => {}
        }
        // Either branch may observe the shutdown first.
        control.close();
    };
    watch.instrument(span).await;
}

/// Runs the thread whenever it should run, until the service stops.
async fn keep(core: &Arc<Core>, entry: &Threaded, control: &ThreadControl) {
    // `Restart::OnFailure` documents the delays, so they have no jitter.
    let mut backoff = Backoff::new(FIRST_DELAY, MAX_DELAY).without_jitter();
    loop {
        tokio::select! {
            biased;
            () = core.shutdown.requested() => return,
            () = control.wanted(true) => {}
        }
        let Some(run) = control.begin() else { continue };
        let began = Instant::now();
        let failure = run_once(core, entry, &run).await.err();
        let asked = !run.running.is_running();
        drop(run);
        let source = entry.endpoint.definition.source;
        match (asked, failure) {
            (true, None) => debug!(%source, "thread stopped"),
            (true, Some(failure)) => {
                error!(%source, error = %failure, "thread failed while stopping");
            }
            (false, None) => {
                warn!(%source, "thread returned before it was stopped");
                control.fell(None, false);
            }
            (false, Some(failure)) if entry.options.restart == Restart::OnFailure => {
                if began.elapsed() >= STABLE_AFTER {
                    backoff.reset();
                }
                let delay = backoff.next_delay();
                error!(%source, error = %failure, "thread failed, restarting in {delay:?}");
                control.fell(Some(failure.to_string()), true);
                tokio::select! {
                    biased;
                    () = core.shutdown.requested() => return,
                    () = control.wanted(false) => info!(%source, "thread stopped while waiting for its restart"),
                    () = tokio::time::sleep(delay) => {}
                }
            }
            (false, Some(failure)) => {
                error!(%source, error = %failure, "thread failed and is not restarted");
                control.fell(Some(failure.to_string()), false);
            }
        }
    }
}

async fn run_once(core: &Arc<Core>, entry: &Threaded, run: &ThreadRun<'_>) -> Result<(), Failure> {
    let endpoint = &entry.endpoint;
    let mut cx = Context::new(Arc::clone(core), endpoint.definition.name);
    cx.extensions_mut().insert(run.running.clone());
    Invocation::new(core, TRIGGER, &endpoint.definition, Report::Invoker)
        .in_span(Span::current())
        .call(endpoint, cx)
        .await
        .map(drop)
}
