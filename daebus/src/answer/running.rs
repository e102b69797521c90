//! The requests that are being answered, so that a caller can take one back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

/// Who asked and under which id; ids are chosen by callers, so the inbox belongs to the key.
pub(super) type Key = (String, String);

/// The requests that are being answered.
#[derive(Debug, Clone, Default)]
pub(super) struct Running(Arc<Mutex<HashMap<Key, CancellationToken>>>);

impl Running {
    /// Notes a request until the entry is dropped. A request without an id can't be taken back.
    pub(super) fn enter(&self, key: Option<Key>) -> Entry {
        let token = CancellationToken::new();
        if let Some(key) = &key {
            self.map().insert(key.clone(), token.clone());
        }
        Entry { running: self.clone(), key, token }
    }

    /// Takes a request back; returns whether it was there.
    pub(super) fn cancel(&self, key: &Key) -> bool {
        let token = self.map().remove(key);
        token.inspect(CancellationToken::cancel).is_some()
    }

    fn map(&self) -> std::sync::MutexGuard<'_, HashMap<Key, CancellationToken>> {
        // The map is whole after every statement that holds the lock, so a panic elsewhere leaves nothing to fear.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct Entry {
    running: Running,
    key: Option<Key>,
    token: CancellationToken,
}

impl Entry {
    /// Waits until the caller takes the request back.
    pub(super) async fn cancelled(&self) {
        self.token.cancelled().await;
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Some(key) = &self.key {
            self.running.map().remove(key);
        }
    }
}
