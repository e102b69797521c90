use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio_util::sync::CancellationToken;

use crate::handler::extract::Extract;
use crate::handler::kind::Thread;
use crate::handler::{Context, Failure};

/// Whether a thread is to go on: true until the service stops or [`Tasks::stop`](crate::Tasks::stop) is called.
///
/// A thread that rests with [`wait`](Self::wait), a task that rests with [`sleep`](Self::sleep), ends at once when it
/// is told to:
///
/// ```
/// use daebus::prelude::*;
///
/// #[thread("monitor")]
/// fn monitor(running: Running) {
///     while running.wait(Duration::from_secs(60)) {
///         // look after something
///     }
/// }
///
/// #[thread("poller")]
/// async fn poller(running: Running) {
///     while running.sleep(Duration::from_secs(5)).await {
///         // ask somebody
///     }
/// }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Running(Arc<StopSignal>);

#[derive(Debug, Default)]
struct StopSignal {
    /// For tasks.
    stop: CancellationToken,
    /// For threads.
    stopped: Mutex<bool>,
    changed: Condvar,
}

impl Running {
    /// Whether to go on.
    pub fn is_running(&self) -> bool {
        !self.0.stop.is_cancelled()
    }

    /// Blocks a thread for that long, or until it is told to stop; returns whether to go on. In a task use
    /// [`sleep`](Self::sleep).
    #[must_use = "it says whether to go on"]
    pub fn wait(&self, duration: Duration) -> bool {
        let mut stopped = self.0.stopped.lock();
        self.0.changed.wait_while_for(&mut stopped, |stopped| !*stopped, duration);
        !*stopped
    }

    /// Waits for that long, or until the task is told to stop; returns whether to go on.
    #[must_use = "it says whether to go on"]
    pub async fn sleep(&self, duration: Duration) -> bool {
        tokio::time::timeout(duration, self.0.stop.cancelled()).await.is_err() && self.is_running()
    }

    /// Waits until the thread is told to stop: for a `select!`.
    pub async fn stopped(&self) {
        self.0.stop.cancelled().await;
    }

    pub(super) fn stop(&self) {
        self.0.stop.cancel();
        *self.0.stopped.lock() = true;
        self.0.changed.notify_all();
    }
}

impl Extract<Thread> for Running {
    async fn extract(cx: &mut Context) -> Result<Self, Failure> {
        let missing = || Failure::internal("nothing says whether this thread is to go on");
        cx.extensions().get::<Self>().cloned().ok_or_else(missing)
    }
}
