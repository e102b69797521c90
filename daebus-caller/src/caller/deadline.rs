//! Until when an answer is wanted: a handler's deadline, handed on to the calls it makes.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

tokio::task_local! {
    static SURROUNDING: Deadline;
}

/// The time at which the caller stops waiting, on tokio's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// The deadline at that instant.
    pub fn at(instant: Instant) -> Self {
        Self(instant)
    }

    /// The deadline that far from now.
    pub fn after(budget: Duration) -> Self {
        let now = Instant::now();
        // What lies beyond the clock's range is as good as a year.
        Self(now.checked_add(budget).unwrap_or_else(|| now + Duration::from_secs(365 * 86_400)))
    }

    /// The instant.
    pub fn instant(self) -> Instant {
        self.0
    }

    /// What is left; zero when it has passed.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

/// Runs a future under a deadline: calls made within wait no longer than that.
#[doc(hidden)]
pub fn scope<F: Future>(deadline: Deadline, future: F) -> impl Future<Output = F::Output> {
    // Not an `async fn`, which would store the future twice.
    SURROUNDING.scope(deadline, future)
}

/// Runs a function under a deadline, as [`scope`] runs a future.
#[doc(hidden)]
pub fn sync_scope<R>(deadline: Deadline, function: impl FnOnce() -> R) -> R {
    SURROUNDING.sync_scope(deadline, function)
}

/// The deadline that surrounds the current code; `None` outside of a handler, or where a task was spawned from one.
pub fn current() -> Option<Deadline> {
    SURROUNDING.try_with(|deadline| *deadline).ok()
}
