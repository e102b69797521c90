//! Waits with a timeout, for the tests of all crates.

#![allow(clippy::expect_used, reason = "a failure here is a failed test")]

use std::future::Future;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;

/// How long a test waits for anything. Far more than it takes, so that a busy machine fails no test.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The pause between two checks of a condition.
const PAUSE: Duration = Duration::from_millis(5);

/// Waits for a future.
///
/// # Panics
///
/// Panics if the future isn't ready within [`PATIENCE`].
pub async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("the future is ready in time")
}

/// Waits for the next value of a channel.
///
/// # Panics
///
/// Panics if no value arrives within [`PATIENCE`], or every sender is dropped.
pub async fn next<T>(receiver: &mut UnboundedReceiver<T>) -> T {
    within(receiver.recv()).await.expect("a sender is left")
}

/// Checks a condition until it holds.
///
/// # Panics
///
/// Panics if the condition doesn't hold within [`PATIENCE`].
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    // Of tokio, so that the limit holds on a paused clock as well.
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(PAUSE).await;
    }
}

/// Checks a condition until it holds, and blocks the thread in between.
///
/// # Panics
///
/// Panics if the condition doesn't hold within [`PATIENCE`].
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while !holds() {
        assert!(std::time::Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(PAUSE);
    }
}
