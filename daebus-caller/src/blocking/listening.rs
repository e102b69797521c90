//! Listening to broadcasts, one message after the other.

use std::fmt;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::runtime::Runtime;
use crate::caller;

/// The messages of a channel, or of all channels that a pattern matches: an iterator that blocks until the next one.
///
/// It ends when the caller is closed, on whatever thread. Messages that don't read as `T` are logged, counted and left
/// out. At most 8,192 messages (64 MiB) wait unread; beyond that the oldest are dropped and counted.
#[must_use = "messages are dropped unless they are read"]
pub struct Listening<T> {
    runtime: Runtime,
    /// `None` while it is being read, and for good when reading it panicked.
    messages: Option<caller::Listening<T>>,
}

impl<T: DeserializeOwned + Send + 'static> Listening<T> {
    pub(super) fn new(runtime: Runtime, messages: caller::Listening<T>) -> Self {
        Self { runtime, messages: Some(messages) }
    }

    /// The next message, if it comes within that time.
    ///
    /// # Errors
    ///
    /// [`RecvTimeoutError::Timeout`] when none has come, [`RecvTimeoutError::Disconnected`] when none will: the caller was
    /// closed, or this thread belongs to a runtime.
    pub fn next_timeout(&mut self, within: Duration) -> Result<T, RecvTimeoutError> {
        self.read(Some(within))
    }

    /// How many messages were dropped because they weren't read in time.
    pub fn dropped(&self) -> u64 {
        self.messages.as_ref().map_or(0, caller::Listening::dropped)
    }

    /// How many messages couldn't be read as `T`.
    pub fn unreadable(&self) -> u64 {
        self.messages.as_ref().map_or(0, caller::Listening::unreadable)
    }

    fn read(&mut self, within: Option<Duration>) -> Result<T, RecvTimeoutError> {
        if super::runtime::forbid_within_a_runtime().is_err() {
            tracing::error!("daebus_caller::blocking can't be read from on a thread of a tokio runtime");
            return Err(RecvTimeoutError::Disconnected);
        }
        let Some(mut messages) = self.messages.take() else { return Err(RecvTimeoutError::Disconnected) };
        let reading = async move {
            let next = match within {
                // Giving up on it loses no message.
                Some(within) => tokio::time::timeout(within, messages.next()).await,
                None => Ok(messages.next().await),
            };
            (messages, next)
        };
        let (messages, next) = self.runtime.run(reading).map_err(|_| RecvTimeoutError::Disconnected)?;
        self.messages = Some(messages);
        match next {
            Ok(message) => message.ok_or(RecvTimeoutError::Disconnected),
            Err(_) => Err(RecvTimeoutError::Timeout),
        }
    }
}

impl<T: DeserializeOwned + Send + 'static> Iterator for Listening<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.read(None).ok()
    }
}

impl<T> fmt::Debug for Listening<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("blocking::Listening").field(&self.messages).finish()
    }
}
