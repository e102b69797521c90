//! Plain `fn` handlers, on threads where they may block.

use std::sync::LazyLock;

use daebus_caller::{deadline, trace};
use tracing::Span;

use super::turn::{InFlight, current_turn};

/// Plain `fn` handlers that run in this process, of all its services.
static BLOCKING: LazyLock<InFlight> = LazyLock::new(InFlight::default);

/// Returns how many plain `fn` handlers run: their threads can't be stopped from outside.
pub(crate) fn blocking_in_flight() -> usize {
    BLOCKING.count()
}

/// Runs a plain `fn` handler on a thread where it may block. Its log lines are in the handler's span.
///
/// A thread can't be stopped from outside: after the deadline the reply is dropped, but the permits are held until the
/// function returns.
pub async fn blocking<T: Send + 'static>(function: impl FnOnce() -> T + Send + 'static) -> T {
    let (turn, deadline, trace, span) =
        (current_turn(), deadline::current(), trace::current(), Span::current());
    let task = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        let _running = BLOCKING.enter();
        let _span = span.entered();
        trace::sync_scope(trace, || match deadline {
            Some(deadline) => deadline::sync_scope(deadline, function),
            None => function(),
        })
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
