//! Calls of workflows: actions that ask their callers questions.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use futures_util::{Stream, StreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::opened::{OpenedSession, reported};
use super::stream::{FromSession, decoded};
use crate::contract::FromFault;
use crate::error::CallError;
use crate::session::{Received, Session, SessionError};
use crate::wire::{Fault, encode};

/// What a workflow sends.
#[derive(Debug)]
pub enum WorkflowUpdate<T, E = Fault, Q = Value, P = Value> {
    /// The workflow reports something.
    Tell(P),
    /// The workflow asks, and waits for the reply within the question's limit.
    Ask {
        /// The question.
        question: Q,
        /// Sends the answer.
        reply: WorkflowReply,
    },
    /// The workflow is over; nothing follows.
    Done(Result<T, CallError<E>>),
}

/// A workflow that runs: a [`Stream`] of [`WorkflowUpdate`]s, which ends after [`WorkflowUpdate::Done`].
///
/// `T` is the answer, `E` the error, `Q` a question, `P` a report. Dropping it cancels the workflow.
///
/// # Cancel safety
///
/// [`next`](Self::next) is cancel safe: no update is lost.
#[must_use = "a workflow waits until its updates are read"]
pub struct Workflow<T, E = Fault, Q = Value, P = Value> {
    session: Option<OpenedSession>,
    types: WorkflowTypes<T, E, Q, P>,
}

/// What a workflow is read as, without owning any of it.
type WorkflowTypes<T, E, Q, P> = PhantomData<fn() -> (T, E, Q, P)>;

impl<T, E, Q, P> Workflow<T, E, Q, P>
where
    Self: Stream<Item = WorkflowUpdate<T, E, Q, P>>,
{
    /// Returns the next update; `None` after the end.
    pub async fn next(&mut self) -> Option<WorkflowUpdate<T, E, Q, P>> {
        StreamExt::next(self).await
    }
}

impl<T, E, Q, P> Unpin for Workflow<T, E, Q, P> {}

impl<T, E, Q, P> Stream for Workflow<T, E, Q, P>
where
    T: DeserializeOwned + Send + 'static,
    E: FromFault,
    Q: DeserializeOwned + Send + 'static,
    P: DeserializeOwned + Send + 'static,
{
    type Item = WorkflowUpdate<T, E, Q, P>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(session) = &self.session else { return Poll::Ready(None) };
        let Poll::Ready(received) = session.poll(context) else { return Poll::Pending };
        let update = match received {
            Received::Item(item) => decoded(session, Some(&item)).map(WorkflowUpdate::Tell),
            Received::Ask { ask, question } => decoded(session, Some(&question)).map(|question| {
                let reply =
                    WorkflowReply { session: session.session.clone(), ask, is_sent: AtomicBool::new(false) };
                WorkflowUpdate::Ask { question, reply }
            }),
            Received::End(Ok(answer)) => {
                decoded(session, answer.as_ref()).map(|answer| WorkflowUpdate::Done(Ok(answer)))
            }
            Received::End(Err(fault)) => Err(reported(fault)),
            Received::Failed(error) => Err(session.error(error)),
        };
        let update = update.unwrap_or_else(|error| WorkflowUpdate::Done(Err(error)));
        if let WorkflowUpdate::Done(_) = &update {
            self.session = None;
        }
        Poll::Ready(Some(update))
    }
}

impl<T, E, Q, P> fmt::Debug for Workflow<T, E, Q, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workflow").field("over", &self.session.is_none()).finish_non_exhaustive()
    }
}

impl<T, E, Q, P> FromSession for Workflow<T, E, Q, P>
where
    T: DeserializeOwned + Send + 'static,
    E: FromFault,
    Q: DeserializeOwned + Send + 'static,
    P: DeserializeOwned + Send + 'static,
{
    type Output = Self;
    type Error = E;

    fn from_session(session: OpenedSession) -> BoxFuture<'static, Result<Self, CallError<E>>> {
        let workflow = Self { session: Some(session), types: PhantomData };
        Box::pin(std::future::ready(Ok(workflow)))
    }
}

/// Answers one question of a workflow.
#[derive(Debug)]
pub struct WorkflowReply {
    session: Session,
    ask: u64,
    is_sent: AtomicBool,
}

/// Why an answer was not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplyError {
    /// The question has an answer already.
    #[error("the question is answered already")]
    Answered,
    /// The workflow asks another question meanwhile: this one's limit has passed.
    #[error("the limit of the question has passed")]
    Expired,
    /// The workflow is over, or the session ended with an error. The stream of updates reports which.
    #[error("the workflow is over: {0}")]
    Over(SessionError),
    /// The answer can't be written as JSON.
    #[error("the answer can't be written as JSON: {0}")]
    Encode(#[from] serde_json::Error),
}

impl WorkflowReply {
    /// Sends the answer. The workflow checks its type.
    ///
    /// # Errors
    ///
    /// See [`ReplyError`]. An answer that arrives after the question's limit is ignored by the service, and isn't reported here.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the answer may or may not have been sent; the question can't be answered again.
    pub async fn send(&self, answer: impl Serialize) -> Result<(), ReplyError> {
        let answer = encode(&answer)?;
        if let Some(error) = self.session.failure() {
            return Err(ReplyError::Over(error));
        }
        if !self.session.is_open_question(self.ask) {
            return Err(ReplyError::Expired);
        }
        if self.is_sent.swap(true, Ordering::Relaxed) {
            return Err(ReplyError::Answered);
        }
        self.session.answer(self.ask, answer).await.map_err(ReplyError::Over)
    }
}
