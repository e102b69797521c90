//! A call in the background.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::task::JoinHandle;

use crate::error::CallError;
use crate::wire::{Fault, FaultCode};

/// A call that runs in a task of its own; awaiting it gives the answer. Dropping it lets the call go on unobserved.
#[derive(Debug)]
pub struct Job<T, E = Fault> {
    task: JoinHandle<Result<T, CallError<E>>>,
}

impl<T, E> Job<T, E> {
    pub(super) fn new(task: JoinHandle<Result<T, CallError<E>>>) -> Self {
        Self { task }
    }

    /// Cancels the call: the service ends the work at its next await, and the job ends with a `cancelled` fault unless it has
    /// ended already.
    pub fn abort(&self) {
        self.task.abort();
    }

    /// Whether the call is over, one way or another.
    pub fn is_finished(&self) -> bool {
        self.task.is_finished()
    }
}

impl<T, E> Future for Job<T, E> {
    type Output = Result<T, CallError<E>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.task).poll(context).map(|joined| match joined {
            Ok(outcome) => outcome,
            // Only a listener of the application's own can have panicked in there: it is theirs to hear of.
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => Err(CallError::Fault(Fault::reserved(FaultCode::Cancelled, "the job was aborted"))),
        })
    }
}
