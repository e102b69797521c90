//! A plain `fn` on a thread of its own.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::handler::{Failure, current_turn};

/// Runs a function on an operating system's thread of that name, from which [`block_on`](crate::block_on) works.
///
/// Given up on, the thread goes on all the same: it can't be stopped from outside.
///
/// # Errors
///
/// When the operating system has no thread to give.
///
/// # Panics
///
/// When the function does.
pub async fn on_thread<T: Send + 'static>(
    name: &str,
    function: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    let (tell, ended) = oneshot::channel();
    let (runtime, span, turn) = (Handle::current(), tracing::Span::current(), current_turn());
    let body = move || {
        let _turn = turn;
        let _runtime = runtime.enter();
        let value = span.in_scope(|| catch_unwind(AssertUnwindSafe(function)));
        // Nobody may be waiting any more.
        let _ = tell.send(value);
    };
    let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(body);
    spawned.map_err(|error| Failure::internal(format!("the system gives no thread: {error}")))?;
    match ended.await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(panic)) => resume_unwind(panic),
        // The thread always tells, so it was torn down with the process.
        Err(_) => Err(Failure::internal("the thread is gone without a word")),
    }
}
