//! Tracks the tasks of a running service, so that its stop can wait for them.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use parking_lot::Mutex;
use tokio_util::future::FutureExt;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::{Instrument as _, Span};

use super::run_on::RunOn;

/// The tasks of one running service.
#[derive(Debug, Clone, Default)]
pub(crate) struct Workers(Arc<TrackedTasks>);

#[derive(Debug, Default)]
struct TrackedTasks {
    tracker: TaskTracker,
    cut: CancellationToken,
    named: Mutex<BTreeMap<String, usize>>,
}

impl Workers {
    /// Spawns a task that [`drain`](Self::drain) waits for.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        // An async function with the task as its argument would store the task three times.
        self.0.tracker.spawn(task.with_cancellation_token_owned(self.0.cut.clone()));
    }

    /// Runs a task as [`spawn`](Self::spawn) does, in a span, which costs nothing if the subscriber disables it.
    pub(crate) fn spawn_in(&self, span: Span, task: impl Future<Output = ()> + Send + 'static) {
        if span.is_disabled() {
            self.spawn(task);
        } else {
            self.spawn(task.instrument(span));
        }
    }

    /// Returns a future that runs `future` in the task that polls it. If it is dropped before it has ended, a task that
    /// [`drain`](Self::drain) waits for runs the remainder. Its output is `None` if [`cut_off`](Self::cut_off) ended it.
    pub(crate) fn run_on<F>(&self, future: F) -> impl Future<Output = Option<F::Output>> + Send + use<F>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let (workers, future) = (self.clone(), Box::pin(future));
        // The task that polls it may not be one of the workers: a stream of HTTP/2 has a task of hyper's.
        let held = self.hold();
        RunOn::new(future.with_cancellation_token_owned(self.0.cut.clone()), move |future| {
            if !workers.0.cut.is_cancelled() {
                workers.0.tracker.spawn(future.map(drop).in_current_span());
            }
            drop(held);
        })
    }

    /// Counts work that isn't a handler of the registry as running until the guard is dropped. Errors list it by `name`.
    pub(crate) fn enter(&self, name: String) -> Entered {
        *self.0.named.lock().entry(name.clone()).or_default() += 1;
        Entered { workers: self.clone(), name }
    }

    /// Returns the names that were entered and are still running, with their counts.
    pub(crate) fn entered(&self) -> Vec<(String, usize)> {
        self.0.named.lock().iter().map(|(name, count)| (name.clone(), *count)).collect()
    }

    /// Returns a token that counts as a task until it is dropped, for work that is about to be spawned.
    pub(crate) fn hold(&self) -> TaskTrackerToken {
        self.0.tracker.token()
    }

    /// Waits until every task has ended. Returns `false` if some are still running after `within`.
    pub(crate) async fn drain(&self, within: Duration) -> bool {
        self.0.tracker.close();
        tokio::time::timeout(within, self.0.tracker.wait()).await.is_ok()
    }

    /// Cancels all tasks at their next await point.
    pub(crate) fn cut_off(&self) {
        self.0.cut.cancel();
    }
}

/// Work that is counted as running until this guard is dropped.
#[derive(Debug)]
pub(crate) struct Entered {
    workers: Workers,
    name: String,
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut named = self.workers.0.named.lock();
        if let Some(count) = named.get_mut(&self.name) {
            *count -= 1;
            if *count == 0 {
                named.remove(&self.name);
            }
        }
    }
}
