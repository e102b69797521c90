//! The requests that are being answered, so that a caller can cancel one and a drain can interrupt all.

use std::future::poll_fn;
use std::hash::{BuildHasher, RandomState};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;

use daebus_caller::__private::NumberMap;
use daebus_caller::wire::{Fault, FaultCode, RawJson};
use parking_lot::Mutex;
use serde_json::value::RawValue;
use tokio::sync::Notify;

use crate::handler::Envelope;

/// How many parts the map of requests has, each with a lock of its own.
const SHARDS: usize = 16;

/// Who asked and under which id; ids are chosen by callers, so the inbox belongs to the key. It is a hash that is keyed at
/// random, so that no caller can choose two requests that have one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct RequestKey(pub(super) u64);

/// Makes the keys of requests.
#[derive(Debug, Clone, Default)]
pub(super) struct RequestKeys(RandomState);

impl RequestKeys {
    /// Returns the key of a request. Only a request with an inbox and an id can be cancelled.
    pub(super) fn of(&self, request: &Envelope) -> Option<RequestKey> {
        Some(self.key(request.reply_to.as_deref()?, request.request_id.as_ref()?.as_str()))
    }

    /// Returns the key of the request that a `$cancel` names.
    pub(super) fn of_cancelled(&self, cancelled: &CancelledRequest) -> RequestKey {
        self.key(&cancelled.inbox, &cancelled.request_id)
    }

    /// Returns the key of the request of an inbox, whose id is JSON.
    pub(super) fn key(&self, inbox: &str, request_id: &str) -> RequestKey {
        RequestKey(self.0.hash_one((inbox, request_id)))
    }

    /// Returns a key for a request that can't be cancelled by its caller.
    fn of_number(&self, number: u64) -> RequestKey {
        RequestKey(self.0.hash_one(number))
    }
}

/// The request that a `$cancel` names.
#[derive(Debug)]
pub(super) struct CancelledRequest {
    pub(super) inbox: String,
    /// As JSON.
    pub(super) request_id: String,
}

/// Returns the request that a `$cancel` names in its payload.
pub(super) fn cancelled_request(cancel: &Envelope) -> Option<CancelledRequest> {
    #[derive(serde::Deserialize)]
    struct Cancel<'a> {
        #[serde(borrow)]
        request_id: &'a RawValue,
        reply_to: String,
    }
    let cancel: Cancel<'_> = serde_json::from_str(cancel.payload.as_ref().map(RawJson::as_str)?).ok()?;
    Some(CancelledRequest { inbox: cancel.reply_to, request_id: cancel.request_id.get().to_owned() })
}

/// The requests that are being answered.
#[derive(Debug, Clone, Default)]
pub(super) struct Cancellations(Arc<RunningRequests>);

#[derive(Debug, Default)]
struct RunningRequests {
    keys: RequestKeys,
    shards: [Mutex<Shard>; SHARDS],
    interrupted: AtomicBool,
    /// The number of requests without a key of their own.
    anonymous: AtomicU64,
}

#[derive(Debug, Default)]
struct Shard {
    by_key: NumberMap<Arc<RequestEnd>>,
    /// The earlier ones of requests that have one key.
    displaced: Vec<Arc<RequestEnd>>,
}

/// Whether a request is to end before its handler does.
#[derive(Debug, Default)]
struct RequestEnd {
    is_due: AtomicBool,
    due: Notify,
}

impl RequestEnd {
    fn demand(&self) {
        self.is_due.store(true, Ordering::Release);
        self.due.notify_waiters();
    }
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
    pub(super) fn keys(&self) -> &RequestKeys {
        &self.0.keys
    }

    /// Notes a request until the entry is dropped. A request without a key can't be taken back.
    pub(super) fn enter(&self, key: Option<RequestKey>) -> CancellableRequest {
        let inner = &self.0;
        let key =
            key.unwrap_or_else(|| inner.keys.of_number(inner.anonymous.fetch_add(1, Ordering::Relaxed)));
        let end = Arc::new(RequestEnd::default());
        let mut shard = inner.shard(key).lock();
        if let Some(earlier) = shard.by_key.insert(key.0, Arc::clone(&end)) {
            shard.displaced.push(earlier);
        }
        drop(shard);
        // An interruption finds the entry, or is seen here.
        if inner.interrupted.load(Ordering::SeqCst) {
            end.demand();
        }
        CancellableRequest { cancellations: self.clone(), key, end }
    }

    /// Takes a request back; returns whether it was there.
    pub(super) fn cancel(&self, key: RequestKey) -> bool {
        let end = self.0.shard(key).lock().by_key.remove(&key.0);
        end.inspect(|end| end.demand()).is_some()
    }

    /// Ends every request, those to come included.
    pub(super) fn interrupt(&self) {
        self.0.interrupted.store(true, Ordering::SeqCst);
        for shard in &self.0.shards {
            let shard = shard.lock();
            shard.by_key.values().chain(&shard.displaced).for_each(|end| end.demand());
        }
    }
}

impl RunningRequests {
    fn shard(&self, key: RequestKey) -> &Mutex<Shard> {
        &self.shards[usize::try_from(key.0 % SHARDS as u64).unwrap_or_default()]
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct CancellableRequest {
    cancellations: Cancellations,
    key: RequestKey,
    end: Arc<RequestEnd>,
}

impl CancellableRequest {
    /// Waits until the request is to end before its handler does.
    pub(super) async fn ended(&self) -> EndedBy {
        // Created before the look: it is woken from then on.
        let due = self.end.due.notified();
        if let Some(ended_by) = self.ended_by() {
            return ended_by;
        }
        due.await;
        self.cause()
    }

    /// Runs a handler until the request is to end. The handler is not polled after that, and one that ends when it is first
    /// polled is not waited for.
    pub(super) async fn run<T>(&self, handler: impl Future<Output = T>) -> Result<T, EndedBy> {
        let (mut handler, mut ended) = (pin!(handler), pin!(self.ended()));
        poll_fn(|context| {
            if let Some(ended_by) = self.ended_by() {
                return Poll::Ready(Err(ended_by));
            }
            match handler.as_mut().poll(context) {
                Poll::Ready(value) => Poll::Ready(Ok(value)),
                Poll::Pending => ended.as_mut().poll(context).map(Err),
            }
        })
        .await
    }

    /// Returns why the request is to end, if it is.
    fn ended_by(&self) -> Option<EndedBy> {
        self.end.is_due.load(Ordering::Acquire).then(|| self.cause())
    }

    fn cause(&self) -> EndedBy {
        let interrupted = self.cancellations.0.interrupted.load(Ordering::SeqCst);
        if interrupted { EndedBy::Drain } else { EndedBy::Caller }
    }
}

impl Drop for CancellableRequest {
    fn drop(&mut self) {
        let mut shard = self.cancellations.0.shard(self.key).lock();
        // A peer may repeat an id; then the entry is the later request's.
        if shard.by_key.get(&self.key.0).is_some_and(|end| Arc::ptr_eq(end, &self.end)) {
            shard.by_key.remove(&self.key.0);
        } else if !shard.displaced.is_empty() {
            shard.displaced.retain(|end| !Arc::ptr_eq(end, &self.end));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_repeated_id_is_the_later_requests() {
        let key = RequestKey(1);
        let cancellations = Cancellations::default();
        let first = cancellations.enter(Some(key));
        let second = cancellations.enter(Some(key));
        drop(first);
        assert!(cancellations.cancel(key) && second.ended_by() == Some(EndedBy::Caller));
        drop(second);
        assert!(!cancellations.cancel(key), "nothing is left behind");
        let first = cancellations.enter(Some(key));
        let second = cancellations.enter(Some(key));
        drop(second);
        cancellations.interrupt();
        assert_eq!(first.ended().await, EndedBy::Drain, "a drain ends the earlier one as well");
        drop(first);
        let shards = &cancellations.0.shards;
        assert!(
            shards.iter().all(|shard| shard.lock().by_key.is_empty() && shard.lock().displaced.is_empty())
        );
    }

    #[tokio::test]
    async fn a_drain_ends_every_request_and_a_caller_its_own() {
        let cancellations = Cancellations::default();
        let [first, second, anonymous] =
            [Some(RequestKey(1)), Some(RequestKey(2)), None].map(|key| cancellations.enter(key));
        cancellations.cancel(RequestKey(1));
        assert_eq!(first.ended().await, EndedBy::Caller);
        assert_eq!(second.ended_by(), None);
        cancellations.interrupt();
        assert_eq!((second.ended().await, anonymous.ended().await), (EndedBy::Drain, EndedBy::Drain));
        assert_eq!(cancellations.enter(None).ended().await, EndedBy::Drain);
    }
}
