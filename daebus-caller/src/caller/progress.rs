//! The progress of a call as a stream.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::Stream;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use serde_json::Value;

use crate::error::CallError;
use crate::wire::Fault;

/// A progress update of a call, or its end.
#[derive(Debug)]
pub enum Update<T, E = Fault, P = Value> {
    /// The action is still running.
    Progress(P),
    /// The call is over; nothing follows.
    Done(Result<T, CallError<E>>),
}

/// The updates of a call: a stream that ends after [`Update::Done`]. Dropping it cancels the call.
///
/// The request is sent at the first poll, and the call makes progress only while the stream is polled. At most 64 updates
/// wait unread; beyond that the oldest are dropped. The answer is never dropped.
#[must_use = "the call is made when its updates are read"]
pub struct Updates<T, E = Fault, P = Value> {
    /// `None` after the call is over.
    call: Option<BoxFuture<'static, Outcome<T, E>>>,
    unread: Arc<Mutex<VecDeque<P>>>,
    done: Option<Outcome<T, E>>,
}

/// The outcome of a call, once it is over.
type Outcome<T, E> = Result<T, CallError<E>>;

impl<T, E, P: Send + 'static> Updates<T, E, P> {
    /// Creates the stream of the call that `start` makes with the given progress listener.
    pub(super) fn new<F>(start: F) -> Self
    where
        F: FnOnce(Box<dyn FnMut(P) + Send>) -> BoxFuture<'static, Outcome<T, E>>,
    {
        let unread = Arc::new(Mutex::new(VecDeque::new()));
        let listener = {
            let unread = Arc::clone(&unread);
            move |update| unread.lock().push_back(update)
        };
        Self { call: Some(start(Box::new(listener))), unread, done: None }
    }
}

impl<T, E, P> Updates<T, E, P> {
    /// Returns the next update; `None` after the end.
    pub async fn next(&mut self) -> Option<Update<T, E, P>> {
        std::future::poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Update<T, E, P>>> {
        // The call is polled only after all its updates are read, so `unread` stays bounded.
        if let Some(update) = self.take_unread() {
            return Poll::Ready(Some(Update::Progress(update)));
        }
        if let Some(call) = &mut self.call
            && let Poll::Ready(done) = call.as_mut().poll(context)
        {
            self.call = None;
            self.done = Some(done);
        }
        if let Some(update) = self.take_unread() {
            return Poll::Ready(Some(Update::Progress(update)));
        }
        match self.done.take() {
            Some(done) => Poll::Ready(Some(Update::Done(done))),
            None if self.call.is_some() => Poll::Pending,
            None => Poll::Ready(None),
        }
    }

    fn take_unread(&self) -> Option<P> {
        self.unread.lock().pop_front()
    }
}

// The only pinned field is the call, and its box pins it.
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
