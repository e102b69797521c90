//! The tasks of one running service, which its end waits for.

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// The tasks of one running service.
#[derive(Debug, Clone, Default)]
pub(crate) struct Workers {
    tasks: TaskTracker,
    cut: CancellationToken,
}

impl Workers {
    /// Runs a task that [`drain`](Self::drain) waits for.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let cut = self.cut.clone();
        self.tasks.spawn(async move {
            cut.run_until_cancelled(task).await;
        });
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
