//! What a running handler holds: permits of the limits, and its count among the runs in flight.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::OwnedSemaphorePermit;

/// The permits and the in-flight count that a handler holds until it returns.
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

tokio::task_local! {
    static TURN: Arc<Turn>;
}

/// Runs a future that holds `turn`.
pub(super) fn with_turn<T>(turn: Turn, future: impl Future<Output = T>) -> impl Future<Output = T> {
    // Not an `async fn`, which would store the future twice.
    TURN.scope(Arc::new(turn), future)
}

/// Returns what the handler of this task holds, for a thread that outlives the task.
pub(crate) fn current_turn() -> Arc<Turn> {
    TURN.try_with(Arc::clone).unwrap_or_default()
}

/// How many runs of one handler are in flight.
#[derive(Debug, Clone, Default)]
pub(crate) struct InFlight(Arc<AtomicUsize>);

impl InFlight {
    /// One more, until the guard is dropped.
    pub(crate) fn enter(&self) -> InFlightGuard {
        self.0.fetch_add(1, Ordering::Relaxed);
        InFlightGuard(self.clone())
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// One run of a handler.
#[derive(Debug)]
pub(crate) struct InFlightGuard(InFlight);

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}
