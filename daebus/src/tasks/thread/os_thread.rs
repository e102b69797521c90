//! Runs a plain `fn` on a thread of its own.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::handler::{Failure, current_turn};

/// Runs a function on a new operating system thread of this name. The function may call [`block_on`](crate::block_on).
///
/// # Errors
///
/// Returns an error if the thread can't be created.
///
/// # Panics
///
/// Panics if the function panics.
///
/// # Cancel safety
///
/// If the future is dropped, the thread continues to run: it can't be stopped from outside.
pub async fn on_thread<T: Send + 'static>(
    name: &str,
    function: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    let (sender, ended) = oneshot::channel();
    let (runtime, span, turn) = (Handle::current(), tracing::Span::current(), current_turn());
    let body = move || {
        let _turn = turn;
        let _runtime = runtime.enter();
        let value = span.in_scope(|| catch_unwind(AssertUnwindSafe(function)));
        // The receiver may have been dropped.
        let _ = sender.send(value);
    };
    let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(body);
    spawned.map_err(|error| Failure::internal(format!("can't create a thread: {error}")))?;
    match ended.await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(panic)) => resume_unwind(panic),
        // The thread always sends its result, so it was torn down with the process.
        Err(_) => Err(Failure::internal("the thread ended without a result")),
    }
}
