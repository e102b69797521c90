//! A call as a stream of its progress.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::Stream;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::call::Call;
use crate::contract::FromFault;
use crate::error::CallError;
use crate::wire::Fault;

/// What a call says on its way, and its end.
#[derive(Debug)]
pub enum Update<T, E = Fault, P = Value> {
    /// Under way.
    Progress(P),
    /// The end; nothing follows.
    Done(Result<T, CallError<E>>),
}

/// The updates of a call: a stream that ends after [`Update::Done`]. Dropping it takes the call back.
///
/// The call is made at the first poll and goes on only while the stream is polled. At most 64 updates wait unread;
/// beyond that the oldest are dropped, the answer never is.
#[must_use = "the call is made when its updates are read"]
pub struct Updates<T, E = Fault, P = Value> {
    /// `None` once it is over.
    call: Option<BoxFuture<'static, Result<T, CallError<E>>>>,
    heard: Arc<Mutex<VecDeque<P>>>,
    done: Option<Result<T, CallError<E>>>,
}

impl<T, E, P> Updates<T, E, P>
where
    T: DeserializeOwned + Send + 'static,
    E: FromFault,
    P: DeserializeOwned + Send + 'static,
{
    pub(super) fn of(call: Call<T, E, P>) -> Self {
        let heard = Arc::new(Mutex::new(VecDeque::new()));
        let call = call.on_progress({
            let heard = heard.clone();
            move |update| heard.lock().push_back(update)
        });
        Self { call: Some(call.into_future()), heard, done: None }
    }
}

impl<T, E, P> Updates<T, E, P> {
    /// The next update; `None` after the end.
    pub async fn next(&mut self) -> Option<Update<T, E, P>> {
        std::future::poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Update<T, E, P>>> {
        // The call is polled only when all it has told is read, so what waits here stays bounded.
        if let Some(update) = self.take_heard() {
            return Poll::Ready(Some(Update::Progress(update)));
        }
        if let Some(call) = &mut self.call
            && let Poll::Ready(done) = call.as_mut().poll(context)
        {
            self.call = None;
            self.done = Some(done);
        }
        if let Some(update) = self.take_heard() {
            return Poll::Ready(Some(Update::Progress(update)));
        }
        match self.done.take() {
            Some(done) => Poll::Ready(Some(Update::Done(done))),
            None if self.call.is_some() => Poll::Pending,
            None => Poll::Ready(None),
        }
    }

    fn take_heard(&self) -> Option<P> {
        self.heard.lock().pop_front()
    }
}

// Nothing in it is pinned but the boxed call, which is pinned where it is.
impl<T, E, P> Unpin for Updates<T, E, P> {}

impl<T, E, P> Stream for Updates<T, E, P> {
    type Item = Update<T, E, P>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll(context)
    }
}

impl<T, E, P> fmt::Debug for Updates<T, E, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Updates").field("over", &self.call.is_none()).finish_non_exhaustive()
    }
}
