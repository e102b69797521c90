//! The tasks of one running service, which its end waits for.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio_util::future::FutureExt;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// The tasks of one running service.
#[derive(Debug, Clone, Default)]
pub(crate) struct Workers {
    tasks: TaskTracker,
    cut: CancellationToken,
    named: Arc<Mutex<BTreeMap<String, usize>>>,
}

impl Workers {
    /// Runs a task that [`drain`](Self::drain) waits for.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        // Not as an argument of an async function, which would store the task three times.
        self.tasks.spawn(task.with_cancellation_token_owned(self.cut.clone()));
    }

    /// Notes that something runs which isn't one of the registry's handlers, until the guard is dropped.
    pub(crate) fn enter(&self, name: String) -> Entered {
        *self.named.lock().entry(name.clone()).or_default() += 1;
        Entered { workers: self.clone(), name }
    }

    /// What was entered and still runs, and how many of each.
    pub(crate) fn entered(&self) -> Vec<(String, usize)> {
        self.named.lock().iter().map(|(name, count)| (name.clone(), *count)).collect()
    }

    /// Counts as a task until it is dropped: for what is about to become one.
    pub(crate) fn hold(&self) -> TaskTrackerToken {
        self.tasks.token()
    }

    /// Waits until every task has ended; returns whether they did in time.
    pub(crate) async fn drain(&self, within: Duration) -> bool {
        self.tasks.close();
        tokio::time::timeout(within, self.tasks.wait()).await.is_ok()
    }

    /// Cuts off what is left, at its next await.
    pub(crate) fn cut_off(&self) {
        self.cut.cancel();
    }
}

/// Something that runs.
#[derive(Debug)]
pub(crate) struct Entered {
    workers: Workers,
    name: String,
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut named = self.workers.named.lock();
        if let Some(count) = named.get_mut(&self.name) {
            *count -= 1;
            if *count == 0 {
                named.remove(&self.name);
            }
        }
    }
}
