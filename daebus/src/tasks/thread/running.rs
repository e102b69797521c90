use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio_util::sync::CancellationToken;

use crate::handler::extract::Extract;
use crate::handler::kind::Thread;
use crate::handler::{Context, Failure};

/// Whether a thread should continue: `true` until the service stops or [`Tasks::stop`](crate::Tasks::stop) is called. An
/// argument of threads.
///
/// Use [`wait`](Self::wait) in a plain `fn` and [`sleep`](Self::sleep) in an `async fn`. Both return immediately when the thread
/// is requested to stop:
///
/// ```
/// use daebus::prelude::*;
///
/// #[thread("monitor")]
/// fn monitor(running: Running) {
///     while running.wait(Duration::from_secs(60)) {
///         // check the sensors
///     }
/// }
///
/// #[thread("poller")]
/// async fn poller(running: Running) {
///     while running.sleep(Duration::from_secs(5)).await {
///         // poll the device
///     }
/// }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Running(Arc<StopSignal>);

#[derive(Debug, Default)]
struct StopSignal {
    /// Wakes tasks.
    stop: CancellationToken,
    /// Wakes threads, with `changed`.
    stopped: Mutex<bool>,
    changed: Condvar,
}

impl Running {
    /// Returns whether the thread should continue.
    pub fn is_running(&self) -> bool {
        !self.0.stop.is_cancelled()
    }

    /// Blocks the thread for this duration, or until it is requested to stop. Returns whether the thread should continue. In an
    /// `async fn`, use [`sleep`](Self::sleep).
    #[must_use = "the return value is whether the thread should continue"]
    pub fn wait(&self, duration: Duration) -> bool {
        let mut stopped = self.0.stopped.lock();
        self.0.changed.wait_while_for(&mut stopped, |stopped| !*stopped, duration);
        !*stopped
    }

    /// Waits for this duration, or until the task is requested to stop. Returns whether the task should continue.
    #[must_use = "the return value is whether the task should continue"]
    pub async fn sleep(&self, duration: Duration) -> bool {
        tokio::time::timeout(duration, self.0.stop.cancelled()).await.is_err() && self.is_running()
    }

    /// Waits until the thread is requested to stop, in a `select!` for example.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe.
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
        let missing = || Failure::internal("this handler is not a thread, so it has no `Running`");
        cx.extensions().get::<Self>().cloned().ok_or_else(missing)
    }
}
