//! The trace that the current code belongs to: passed from a handler's request to the calls that the handler makes.

use std::future::Future;
use std::sync::Arc;

use crate::wire::TraceContext;

tokio::task_local! {
    static SURROUNDING: Option<Arc<TraceContext>>;
}

/// Runs a future within a trace: calls made within carry its headers. `None` ends the surrounding trace.
#[doc(hidden)]
pub fn scope<F: Future>(trace: Option<Arc<TraceContext>>, future: F) -> impl Future<Output = F::Output> {
    // Not an `async fn`, which would store the future twice.
    SURROUNDING.scope(trace, future)
}

/// Runs a function within a trace, as [`scope`] runs a future.
#[doc(hidden)]
pub fn sync_scope<R>(trace: Option<Arc<TraceContext>>, function: impl FnOnce() -> R) -> R {
    SURROUNDING.sync_scope(trace, function)
}

/// Returns the trace of the request that the current handler runs for. `None` outside of a handler, in a task that was
/// spawned from one, or if the request has no valid `traceparent`.
pub fn current() -> Option<Arc<TraceContext>> {
    SURROUNDING.try_with(Clone::clone).ok().flatten()
}
