//! The `$cancel`s that arrive before their requests have left the intake's queue.

use std::collections::VecDeque;
use std::time::Duration;

use daebus_caller::__private::NumberMap;
use daebus_caller::bus::Message;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::cancellations::{CancelledRequest, RequestKey, cancelled_request};
use crate::handler::Envelope;

/// The bytes that are in every `$cancel` that Daebus sends. One that is written with escapes is applied in its turn.
const ACTION: &[u8] = b"\"$cancel\"";

/// More bytes than a `$cancel` has, so that large payloads are not searched.
const LARGEST: usize = 4096;

/// How long a `$cancel` is kept. The intake takes every request from its queue far earlier.
const KEPT_FOR: Duration = Duration::from_secs(30);

/// How many are kept, some 50 bytes each: twice the requests that the intake's queue holds by default.
const KEPT: usize = 16_384;

/// Returns the request that a message cancels; `None` if the message is not a `$cancel`.
pub(super) fn read_cancel(message: &Message) -> Option<CancelledRequest> {
    let payload = &message.payload;
    // Most requests have no `$` at all, which takes a fraction of the time to see.
    if payload.len() > LARGEST
        || !payload.contains(&b'$')
        || !payload.windows(ACTION.len()).any(|bytes| bytes == ACTION)
    {
        return None;
    }
    let envelope = Envelope::of_request(message).ok()?;
    cancelled_request(&envelope).filter(|_| envelope.action.as_deref() == Some("$cancel"))
}

/// The `$cancel`s whose requests may still be in the intake's queue. Beyond the limits the oldest is dropped: its request
/// runs, and its reply is ignored.
#[derive(Debug, Default)]
pub(super) struct EarlyCancels(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    by_key: NumberMap<Instant>,
    /// Includes those that have been taken, until they expire.
    by_age: VecDeque<(Instant, RequestKey)>,
}

impl EarlyCancels {
    /// Adds a `$cancel` that was received then.
    pub(super) fn add(&self, key: RequestKey, received: Instant) {
        let mut kept = self.0.lock();
        kept.by_key.insert(key.0, received);
        kept.by_age.push_back((received, key));
        while kept
            .by_age
            .front()
            .is_some_and(|(oldest, _)| kept.by_age.len() > KEPT || *oldest + KEPT_FOR <= received)
        {
            kept.drop_oldest();
        }
    }

    /// Removes the `$cancel` of a request that was received then; returns whether there was one that was not received before
    /// the request.
    pub(super) fn take(&self, key: Option<RequestKey>, received: Instant) -> bool {
        let Some(key) = key else { return false };
        let mut kept = self.0.lock();
        let is_later = kept.by_key.get(&key.0).is_some_and(|cancelled| *cancelled >= received);
        is_later && kept.by_key.remove(&key.0).is_some()
    }

    /// Removes a `$cancel` that was applied to a running request.
    pub(super) fn remove(&self, key: RequestKey) {
        self.0.lock().by_key.remove(&key.0);
    }
}

impl Kept {
    fn drop_oldest(&mut self) {
        let Some((received, key)) = self.by_age.pop_front() else { return };
        // The same request may have been cancelled again.
        if self.by_key.get(&key.0) == Some(&received) {
            self.by_key.remove(&key.0);
        }
        if self.by_age.is_empty() {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_cancel_applies_once_and_to_a_request_that_was_received_before() {
        let (cancels, key) = (EarlyCancels::default(), RequestKey(1));
        let earlier = Instant::now();
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!cancels.take(Some(key), earlier));
        cancels.add(key, Instant::now());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!cancels.take(Some(key), Instant::now()), "it has the ID of a cancelled request");
        assert!(!cancels.take(None, earlier));
        assert!(cancels.take(Some(key), earlier));
        assert!(!cancels.take(Some(key), earlier));
        cancels.add(key, Instant::now());
        cancels.remove(key);
        assert!(!cancels.take(Some(key), earlier));
    }

    #[tokio::test(start_paused = true)]
    async fn cancels_are_bounded_and_expire() {
        let (cancels, now) = (EarlyCancels::default(), Instant::now());
        for key in 0..=KEPT as u64 {
            cancels.add(RequestKey(key), now);
        }
        assert_eq!(cancels.0.lock().by_age.len(), KEPT);
        let take = |key| cancels.take(Some(RequestKey(key)), now);
        assert!(!take(0), "the oldest is dropped");
        assert!(take(1) && take(KEPT as u64));
        tokio::time::advance(KEPT_FOR).await;
        cancels.add(RequestKey(0), Instant::now());
        let kept = cancels.0.lock();
        assert_eq!((kept.by_key.len(), kept.by_age.len()), (1, 1));
    }
}
