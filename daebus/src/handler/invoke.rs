//! Running a handler so that nothing it does reaches further: its time, its panics, its thread.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, LazyLock};

use daebus_caller::deadline::{self, Deadline};
use daebus_caller::wire::{Fault, FaultCode};
use futures_util::FutureExt;
use tokio::sync::OwnedSemaphorePermit;

use super::core::Core;
use super::endpoint::{InFlight, InFlightGuard, Source};
use super::failure::Failure;

/// What a running handler holds: its places (the service's, and its own if it has a limit), and that it runs at all.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    _places: Vec<OwnedSemaphorePermit>,
    _in_flight: Option<InFlightGuard>,
}

impl Turn {
    pub(crate) fn new(places: Vec<OwnedSemaphorePermit>, in_flight: InFlightGuard) -> Self {
        Self { _places: places, _in_flight: Some(in_flight) }
    }
}

/// Plain `fn` handlers that run in this process, whichever service's they are.
static BLOCKING: LazyLock<InFlight> = LazyLock::new(InFlight::default);

/// How many plain `fn` handlers run: threads that can't be stopped from outside.
pub(crate) fn blocking_in_flight() -> usize {
    BLOCKING.count()
}

tokio::task_local! {
    static TURN: Arc<Turn>;
}

/// Runs a handler within its time, if it has one. A panic becomes a failure; calls that the handler makes inherit the
/// deadline.
pub(crate) async fn run_guarded<T>(
    core: &Core,
    source: Source,
    deadline: Option<Deadline>,
    turn: Turn,
    handler: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let handler = AssertUnwindSafe(handler).catch_unwind();
    let handler = TURN.scope(Arc::new(turn), handler);
    let ended = match deadline {
        Some(deadline) => {
            tokio::time::timeout_at(deadline.instant(), deadline::scope(deadline, handler)).await
        }
        None => Ok(handler.await),
    };
    match ended {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(panic)) => {
            let words = words(&*panic);
            core.panics.note(format!("{source}: {words}"));
            Err(Failure::internal(format!("the handler panicked: {words}")))
        }
        Err(_) => {
            Err(Fault::reserved(FaultCode::DeadlineExceeded, "the time for this request is over").into())
        }
    }
}

/// What the handler that runs in this task holds, for a thread that goes on when the task is gone.
pub(crate) fn current_turn() -> Arc<Turn> {
    TURN.try_with(Arc::clone).unwrap_or_default()
}

/// Runs a plain `fn` handler on a thread where it may block.
///
/// A thread can't be stopped from outside: when the handler's time is over its answer is dropped, but its places stay
/// taken until it returns.
pub async fn blocking<T: Send + 'static>(function: impl FnOnce() -> T + Send + 'static) -> T {
    let turn = current_turn();
    let deadline = deadline::current();
    let task = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        let _running = BLOCKING.enter();
        match deadline {
            Some(deadline) => deadline::sync_scope(deadline, function),
            None => function(),
        }
    });
    match task.await {
        Ok(value) => value,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is going away and with it whoever waits for this.
            Err(_) => std::future::pending().await,
        },
    }
}

/// What a panic said.
pub(crate) fn words(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no words")
}
