//! The requests that are being answered, so that a caller can cancel one and a drain can interrupt all.

use std::collections::HashMap;
use std::sync::Arc;

use daebus_caller::wire::{Fault, FaultCode, RawJson};
use parking_lot::Mutex;
use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;

use crate::handler::Envelope;

/// Who asked and under which id; ids are chosen by callers, so the inbox belongs to the key.
pub(super) type RequestKey = (String, String);

/// Returns the key of a request. Only a request with an inbox and an id can be cancelled.
pub(super) fn key_of(request: &Envelope) -> Option<RequestKey> {
    Some((request.reply_to.clone()?, request.request_id.as_ref()?.as_str().to_owned()))
}

/// Returns the key of the request that a `$cancel` names in its payload.
pub(super) fn cancelled_key(cancel: &Envelope) -> Option<RequestKey> {
    #[derive(serde::Deserialize)]
    struct Cancel<'a> {
        #[serde(borrow)]
        request_id: &'a RawValue,
        reply_to: String,
    }
    let cancel: Cancel<'_> = serde_json::from_str(cancel.payload.as_ref().map(RawJson::as_str)?).ok()?;
    Some((cancel.reply_to, cancel.request_id.get().to_owned()))
}

/// The requests that are being answered.
#[derive(Debug, Clone, Default)]
pub(super) struct Cancellations {
    by_key: Arc<Mutex<HashMap<RequestKey, Arc<CancellationToken>>>>,
    /// The parent of every request's token.
    interrupted: CancellationToken,
}

/// Why a request is ended before its handler has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndedBy {
    Caller,
    Drain,
}

impl EndedBy {
    /// Returns the error that the caller gets. The handler may have run in part.
    pub(super) fn fault(self, service: &str) -> Fault {
        match self {
            Self::Caller => Fault::reserved(FaultCode::Cancelled, "the caller took the request back"),
            Self::Drain => {
                let text = format!("{service} stopped before the handler had ended; it may have run in part");
                Fault::reserved(FaultCode::Interrupted, text)
            }
        }
    }
}

impl Cancellations {
    /// Notes a request until the entry is dropped. A request without an id can't be taken back.
    pub(super) fn enter(&self, key: Option<RequestKey>) -> CancellableRequest {
        let token = Arc::new(self.interrupted.child_token());
        if let Some(key) = &key {
            self.by_key.lock().insert(key.clone(), token.clone());
        }
        CancellableRequest { cancellations: self.clone(), key, token }
    }

    /// Takes a request back; returns whether it was there.
    pub(super) fn cancel(&self, key: &RequestKey) -> bool {
        let token = self.by_key.lock().remove(key);
        token.inspect(|token| token.cancel()).is_some()
    }

    /// Ends every request, those to come included.
    pub(super) fn interrupt(&self) {
        self.interrupted.cancel();
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
    /// Waits until the request is to end before its handler does.
    pub(super) async fn ended(&self) -> EndedBy {
        self.token.cancelled().await;
        if self.cancellations.interrupted.is_cancelled() { EndedBy::Drain } else { EndedBy::Caller }
    }
}

impl Drop for CancellableRequest {
    fn drop(&mut self) {
        let Some(key) = &self.key else { return };
        let mut map = self.cancellations.by_key.lock();
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

    #[tokio::test]
    async fn a_drain_ends_every_request_and_a_caller_its_own() {
        let key = |id: &str| ("caller:x".to_owned(), id.to_owned());
        let cancellations = Cancellations::default();
        let [first, second, anonymous] =
            [Some(key("1")), Some(key("2")), None].map(|key| cancellations.enter(key));
        cancellations.cancel(&key("1"));
        assert_eq!(first.ended().await, EndedBy::Caller);
        assert!(!second.token.is_cancelled());
        cancellations.interrupt();
        assert_eq!((second.ended().await, anonymous.ended().await), (EndedBy::Drain, EndedBy::Drain));
        assert_eq!(cancellations.enter(None).ended().await, EndedBy::Drain);
    }
}
