//! A call as a value, until it is waited for.

use std::fmt;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::mpsc;

use super::runtime::{Runtime, forbid_within_a_runtime};
use crate::caller::{self, Retry, Update};
use crate::error::CallError;

/// A call that is made when it is waited for.
///
/// Progress listeners run on the waiting thread, so they may borrow from it (`'a`) and take their time.
#[must_use = "a call is made when it is waited for"]
pub struct Call<'a, T> {
    runtime: Runtime,
    inner: caller::Call<T>,
    listeners: Vec<ProgressListener<'a>>,
}

/// Receives each progress update.
type ProgressListener<'a> = Box<dyn FnMut(&Value) + 'a>;

impl<'a, T: DeserializeOwned + Send + 'static> Call<'a, T> {
    pub(super) fn new(runtime: Runtime, call: caller::Call<T>) -> Self {
        Self { runtime, inner: call, listeners: Vec::new() }
    }

    /// How long to wait for the answer, all tries together; the caller's own timeout (5 s) unless said otherwise.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { inner: self.inner.timeout(timeout), ..self }
    }

    /// Adds a header, in place of an earlier one of that name.
    pub fn header(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { inner: self.inner.header(name, value), ..self }
    }

    /// Tries again where that can help and can't do harm; see [`Retry`].
    pub fn retry(self, retry: impl Into<Retry>) -> Self {
        Self { inner: self.inner.retry(retry), ..self }
    }

    /// Hears of progress, in order, before the answer is there. Called again, it adds a further listener.
    ///
    /// At most 64 updates wait for a slow listener; beyond that the oldest are dropped.
    pub fn on_progress(mut self, mut listener: impl FnMut(Value) + 'a) -> Self {
        self.listeners.push(Box::new(move |update| listener(update.clone())));
        self
    }

    /// Makes the call and waits for the answer.
    ///
    /// # Errors
    ///
    /// As for [`crate::Call`], and [`BusError::Blocking`](crate::BusError::Blocking) where a runtime is already.
    pub fn wait(self) -> Result<T, CallError> {
        let Self { runtime, inner: call, mut listeners } = self;
        if listeners.is_empty() {
            return runtime.run(call.into_future())?;
        }
        forbid_within_a_runtime()?;
        let mut updates = call.progress();
        // Full, it holds up the reading of updates, which then drop the oldest themselves.
        let (tell, mut told) = mpsc::channel(1);
        runtime.spawn(async move {
            while let Some(update) = updates.next().await {
                if tell.send(update).await.is_err() {
                    return;
                }
            }
        });
        while let Some(update) = told.blocking_recv() {
            match update {
                Update::Progress(update) => listeners.iter_mut().for_each(|listener| listener(&update)),
                Update::Done(answer) => return answer,
            }
        }
        Err(CallError::Closed)
    }
}

impl<T> fmt::Debug for Call<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("blocking::Call").field(&self.inner).finish()
    }
}
