//! A future that runs to its end, though the task that polls it may drop it before.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use tokio::runtime::Handle;

/// A future that the task that owns it polls. If it is dropped before it has ended, it is handed to a function, which runs
/// it in another task.
///
/// A task per future would cost a wake-up of another thread, mostly for futures that are never dropped.
pub(crate) struct RunOn<T, S: FnOnce(BoxFuture<'static, T>)> {
    /// `None` once it has ended, or panicked.
    future: Option<BoxFuture<'static, T>>,
    spawn: Option<S>,
}

impl<T, S: FnOnce(BoxFuture<'static, T>)> RunOn<T, S> {
    /// `spawn` is called within a runtime, in the span in which the future is dropped.
    pub(crate) fn new(future: impl Future<Output = T> + Send + 'static, spawn: S) -> Self {
        Self { future: Some(Box::pin(future)), spawn: Some(spawn) }
    }
}

impl<T, S: FnOnce(BoxFuture<'static, T>) + Unpin> Future for RunOn<T, S> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        // Taken out, so that a future that panics isn't polled again.
        let Some(mut future) = self.future.take() else { return Poll::Pending };
        let polled = future.as_mut().poll(cx);
        if polled.is_pending() {
            self.future = Some(future);
        }
        polled
    }
}

impl<T, S: FnOnce(BoxFuture<'static, T>)> Drop for RunOn<T, S> {
    fn drop(&mut self) {
        // Without a runtime, the process ends.
        if let Some((future, spawn)) = self.future.take().zip(self.spawn.take())
            && Handle::try_current().is_ok()
        {
            spawn(future);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::sync::{mpsc, oneshot};

    use super::*;

    fn spawn(future: BoxFuture<'static, ()>) {
        tokio::spawn(future);
    }

    #[tokio::test]
    async fn a_future_that_is_dropped_runs_to_its_end_in_another_task() {
        let (go, gone) = oneshot::channel::<()>();
        let (sender, mut ended) = mpsc::channel(1);
        let mut future = RunOn::new(
            async move {
                let _ = gone.await;
                let _ = sender.send(tokio::task::try_id()).await;
            },
            spawn,
        );
        assert!((&mut future).now_or_never().is_none());
        drop(future);
        let _ = go.send(());
        let task = ended.recv().await.unwrap();
        assert!(task.is_some() && task != tokio::task::try_id());
    }

    #[tokio::test]
    async fn a_future_that_ends_or_panics_is_not_spawned() {
        let spawned = |_: BoxFuture<'static, ()>| panic!("it is spawned");
        RunOn::new(async {}, spawned).await;
        let panics = RunOn::new(async { panic!("on purpose") }, spawned);
        assert!(std::panic::AssertUnwindSafe(panics).catch_unwind().await.is_err());
    }
}
