use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// A handle of a task that [`Tasks::spawn`](crate::Tasks::spawn) started. Awaiting the handle returns the output of the task.
/// Dropping it detaches the task, which continues to run.
#[derive(Debug)]
pub struct TaskHandle<T> {
    ended: oneshot::Receiver<Result<T, TaskEnded>>,
    abort: CancellationToken,
}

/// Errors returned by awaiting a [`TaskHandle`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TaskEnded {
    /// The task was aborted, or the service stopped.
    #[error("the task was cancelled")]
    Cancelled,
    /// The task panicked, with this message. The panic is also logged.
    #[error("the task panicked: {0}")]
    Panicked(String),
}

impl<T> TaskHandle<T> {
    pub(super) fn new(ended: oneshot::Receiver<Result<T, TaskEnded>>, abort: CancellationToken) -> Self {
        Self { ended, abort }
    }

    /// Cancels the task at its next await point, or before it begins.
    pub fn abort(&self) {
        self.abort.cancel();
    }
}

impl<T> Future for TaskHandle<T> {
    type Output = Result<T, TaskEnded>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let ended = ready!(Pin::new(&mut self.ended).poll(context));
        // The sender was dropped: the task was cut off when the service stopped.
        Poll::Ready(ended.unwrap_or(Err(TaskEnded::Cancelled)))
    }
}
