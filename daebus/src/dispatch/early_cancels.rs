//! The `$cancel`s that arrive before their requests have left the intake's queue.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use daebus_caller::bus::Message;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::cancellations::{RequestKey, cancelled_key, key_of};
use crate::handler::Envelope;

/// The bytes that are in every `$cancel` that Daebus sends. One that is written with escapes is applied in its turn.
const ACTION: &[u8] = b"\"$cancel\"";

/// More bytes than a `$cancel` has, so that large payloads are not searched.
const LARGEST: usize = 4096;

/// How long a `$cancel` is kept. The intake takes every request from its queue far earlier.
const KEPT_FOR: Duration = Duration::from_secs(30);

/// How many are kept: twice the requests that the intake's queue holds by default.
const KEPT: usize = 16_384;
/// How many bytes they may have.
const BYTES: usize = 4 * 1024 * 1024;
/// Added to the size of each, rounded up: its places in the map and in the queue.
const OVERHEAD: usize = 160;

/// Returns the request that a message cancels; `None` if the message is not a `$cancel`.
pub(super) fn read_cancel(message: &Message) -> Option<RequestKey> {
    let payload = &message.payload;
    if payload.len() > LARGEST || !payload.windows(ACTION.len()).any(|bytes| bytes == ACTION) {
        return None;
    }
    let envelope = Envelope::of_request(message).ok()?;
    cancelled_key(&envelope).filter(|_| envelope.action.as_deref() == Some("$cancel"))
}

/// The `$cancel`s whose requests may still be in the intake's queue. Beyond the limits the oldest is dropped: its request
/// runs, and its reply is ignored.
#[derive(Debug, Default)]
pub(super) struct EarlyCancels(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    by_key: HashMap<Arc<RequestKey>, Instant>,
    /// Includes those that have been taken, until they expire.
    by_age: VecDeque<(Instant, Arc<RequestKey>)>,
    bytes: usize,
}

impl EarlyCancels {
    /// Adds a `$cancel` that was received then.
    pub(super) fn add(&self, key: &RequestKey, received: Instant) {
        let key = Arc::new(key.clone());
        let mut kept = self.0.lock();
        kept.bytes += size(&key);
        kept.by_key.insert(Arc::clone(&key), received);
        kept.by_age.push_back((received, key));
        while kept.by_age.front().is_some_and(|(oldest, _)| {
            kept.by_age.len() > KEPT || kept.bytes > BYTES || *oldest + KEPT_FOR <= received
        }) {
            kept.drop_oldest();
        }
    }

    /// Removes the `$cancel` of a request; returns whether there was one that was not received before the request.
    pub(super) fn take(&self, request: &Envelope) -> bool {
        let mut kept = self.0.lock();
        // Usually there is none, and a key takes two allocations.
        if kept.by_key.is_empty() {
            return false;
        }
        let Some(key) = key_of(request) else { return false };
        let is_later = kept.by_key.get(&key).is_some_and(|received| *received >= request.received);
        is_later && kept.by_key.remove(&key).is_some()
    }

    /// Removes a `$cancel` that was applied to a running request.
    pub(super) fn remove(&self, key: &RequestKey) {
        self.0.lock().by_key.remove(key);
    }
}

impl Kept {
    fn drop_oldest(&mut self) {
        let Some((received, key)) = self.by_age.pop_front() else { return };
        self.bytes -= size(&key);
        // The same request may have been cancelled again.
        if self.by_key.get(&key) == Some(&received) {
            self.by_key.remove(&key);
        }
        if self.by_age.is_empty() {
            *self = Self::default();
        }
    }
}

fn size((inbox, request_id): &RequestKey) -> usize {
    inbox.len() + request_id.len() + OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(id: usize) -> (Envelope, RequestKey) {
        let text = format!(r#"{{"action": "a", "reply_to": "caller:x", "request_id": {id}}}"#);
        let Ok(envelope) = Envelope::of_request(&Message::new("svc", text)) else { panic!("it can be read") };
        let key = key_of(&envelope).unwrap();
        (envelope, key)
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancel_applies_once_and_to_a_request_that_was_received_before() {
        let cancels = EarlyCancels::default();
        let (earlier, key) = request(1);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!cancels.take(&earlier));
        cancels.add(&key, Instant::now());
        tokio::time::advance(Duration::from_millis(1)).await;
        let (later, _) = request(1);
        assert!(!cancels.take(&later), "it has the ID of a cancelled request");
        assert!(cancels.take(&earlier));
        assert!(!cancels.take(&earlier));
        cancels.add(&key, Instant::now());
        cancels.remove(&key);
        assert!(!cancels.take(&earlier));
    }

    #[tokio::test(start_paused = true)]
    async fn cancels_are_bounded_and_expire() {
        let cancels = EarlyCancels::default();
        let requests: Vec<_> = (0..=KEPT).map(request).collect();
        for (_, key) in &requests {
            cancels.add(key, Instant::now());
        }
        assert_eq!(cancels.0.lock().by_age.len(), KEPT);
        assert!(!cancels.take(&requests[0].0), "the oldest is dropped");
        assert!(cancels.take(&requests[1].0) && cancels.take(&requests[KEPT].0));
        tokio::time::advance(KEPT_FOR).await;
        cancels.add(&requests[0].1, Instant::now());
        let kept = cancels.0.lock();
        assert_eq!((kept.by_key.len(), kept.by_age.len()), (1, 1));
        assert_eq!(kept.bytes, size(&requests[0].1));
    }
}
