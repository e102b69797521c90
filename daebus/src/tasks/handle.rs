use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// A task that [`Tasks::spawn`](crate::Tasks::spawn) began; awaiting it gives its value. Dropping this lets it go on.
#[derive(Debug)]
pub struct TaskHandle<T> {
    ended: oneshot::Receiver<Result<T, TaskEnded>>,
    abort: CancellationToken,
}

/// Why a task has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TaskEnded {
    /// It was aborted, or the service stopped.
    #[error("the task was cancelled")]
    Cancelled,
    /// It panicked; the log says so too.
    #[error("the task panicked: {0}")]
    Panicked(String),
}

impl<T> TaskHandle<T> {
    pub(super) fn new(ended: oneshot::Receiver<Result<T, TaskEnded>>, abort: CancellationToken) -> Self {
        Self { ended, abort }
    }

    /// Cancels the task at its next await, or before it begins.
    pub fn abort(&self) {
        self.abort.cancel();
    }
}

impl<T> Future for TaskHandle<T> {
    type Output = Result<T, TaskEnded>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let ended = ready!(Pin::new(&mut self.ended).poll(context));
        // Without a word: the task was cut off at the service's end.
        Poll::Ready(ended.unwrap_or(Err(TaskEnded::Cancelled)))
    }
}
