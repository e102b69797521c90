//! Plain `fn` handlers, on threads where they may block.

use std::future::Future;
use std::sync::{Arc, LazyLock};

use daebus_caller::deadline;
use tokio::sync::OwnedSemaphorePermit;
use tracing::Span;

use super::definition::{InFlight, InFlightGuard};

/// What a running handler holds until it ends: its places in the limits, and its count among the runs in flight.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    _own: Option<OwnedSemaphorePermit>,
    _service: Option<OwnedSemaphorePermit>,
    _in_flight: Option<InFlightGuard>,
}

impl Turn {
    pub(super) fn new(
        own: Option<OwnedSemaphorePermit>,
        service: Option<OwnedSemaphorePermit>,
        in_flight: Option<InFlightGuard>,
    ) -> Self {
        Self { _own: own, _service: service, _in_flight: in_flight }
    }
}

/// Plain `fn` handlers that run in this process, of all its services.
static BLOCKING: LazyLock<InFlight> = LazyLock::new(InFlight::default);

/// Returns how many plain `fn` handlers run: their threads can't be stopped from outside.
pub(crate) fn blocking_in_flight() -> usize {
    BLOCKING.count()
}

tokio::task_local! {
    static TURN: Arc<Turn>;
}

/// Runs a future that holds `turn`.
pub(super) async fn with_turn<T>(turn: Turn, future: impl Future<Output = T>) -> T {
    TURN.scope(Arc::new(turn), future).await
}

/// Returns what the handler of this task holds, for a thread that outlives the task.
pub(crate) fn current_turn() -> Arc<Turn> {
    TURN.try_with(Arc::clone).unwrap_or_default()
}

/// Runs a plain `fn` handler on a thread where it may block. Its log lines are in the handler's span.
///
/// A thread can't be stopped from outside: when the handler's time is over its answer is dropped, but its places in the
/// limits stay taken until it returns.
pub async fn blocking<T: Send + 'static>(function: impl FnOnce() -> T + Send + 'static) -> T {
    let (turn, deadline, span) = (current_turn(), deadline::current(), Span::current());
    let task = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        let _running = BLOCKING.enter();
        let _span = span.entered();
        match deadline {
            Some(deadline) => deadline::sync_scope(deadline, function),
            None => function(),
        }
    });
    match task.await {
        Ok(value) => value,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is shutting down, and drops the task that waits here.
            Err(_) => std::future::pending().await,
        },
    }
}
