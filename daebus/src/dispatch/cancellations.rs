//! The requests that are being answered, so that a caller can take one back.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

/// Who asked and under which id; ids are chosen by callers, so the inbox belongs to the key.
pub(super) type RequestKey = (String, String);

/// The requests that are being answered.
#[derive(Debug, Clone, Default)]
pub(super) struct Cancellations(Arc<Mutex<HashMap<RequestKey, Arc<CancellationToken>>>>);

impl Cancellations {
    /// Notes a request until the entry is dropped. A request without an id can't be taken back.
    pub(super) fn enter(&self, key: Option<RequestKey>) -> CancellableRequest {
        let token = Arc::new(CancellationToken::new());
        if let Some(key) = &key {
            self.0.lock().insert(key.clone(), token.clone());
        }
        CancellableRequest { cancellations: self.clone(), key, token }
    }

    /// Takes a request back; returns whether it was there.
    pub(super) fn cancel(&self, key: &RequestKey) -> bool {
        let token = self.0.lock().remove(key);
        token.inspect(|token| token.cancel()).is_some()
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct CancellableRequest {
    cancellations: Cancellations,
    key: Option<RequestKey>,
    token: Arc<CancellationToken>,
}

impl CancellableRequest {
    /// Waits until the caller takes the request back.
    pub(super) async fn cancelled(&self) {
        self.token.cancelled().await;
    }
}

impl Drop for CancellableRequest {
    fn drop(&mut self) {
        let Some(key) = &self.key else { return };
        let mut map = self.cancellations.0.lock();
        // A peer may repeat an id; then the entry is the later request's.
        if map.get(key).is_some_and(|token| Arc::ptr_eq(token, &self.token)) {
            map.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_id_is_the_later_requests() {
        let key = || ("caller:x".to_owned(), "1".to_owned());
        let cancellations = Cancellations::default();
        let first = cancellations.enter(Some(key()));
        let second = cancellations.enter(Some(key()));
        drop(first);
        assert!(cancellations.cancel(&key()) && second.token.is_cancelled());
        drop(second);
        assert!(!cancellations.cancel(&key()), "nothing is left behind");
    }
}
