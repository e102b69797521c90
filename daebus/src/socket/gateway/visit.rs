//! What one client has open at the gateway.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use daebus_caller::bus::Topic;
use daebus_caller::wire::{Fault, RawJson};
use parking_lot::Mutex;

use super::builder::GatewayLimits;

/// What one client has open at the gateway.
#[derive(Debug, Default)]
pub(super) struct Visit {
    open: Mutex<Open>,
    /// Bytes of answers that wait for a place in the client's queue.
    answers: AtomicUsize,
}

#[derive(Debug, Default)]
struct Open {
    /// The request IDs of the calls in flight, as they are written.
    calls: HashSet<IdText>,
    /// The size of these calls' payloads.
    bytes: usize,
    topics: HashSet<Topic>,
}

/// A request ID as it is written.
type IdText = Arc<str>;

impl Visit {
    /// Registers a call. The call is in flight until the slot is dropped.
    ///
    /// # Errors
    ///
    /// Returns a fault if a call with this request ID is in flight, or if the client has as many calls in flight as it may.
    pub(super) fn open_call(
        self: &Arc<Self>,
        request_id: &RawJson,
        bytes: usize,
        limits: &GatewayLimits,
        max_bytes: usize,
    ) -> Result<CallSlot, Fault> {
        let mut open = self.open.lock();
        if open.calls.contains(request_id.as_str()) {
            return Err(Fault::new("duplicate_request_id", "a call with this request_id is in flight"));
        }
        let is_full = open.calls.len() >= limits.calls || (open.bytes > 0 && open.bytes + bytes > max_bytes);
        if is_full {
            let words = format!("at most {} calls of one client may be in flight", limits.calls);
            return Err(Fault::new("too_many_calls", words).with_status(429));
        }
        let key: IdText = request_id.as_str().into();
        open.calls.insert(Arc::clone(&key));
        open.bytes += bytes;
        Ok(CallSlot { visit: Arc::clone(self), key, bytes })
    }

    /// Adds a subscription; returns whether it is new.
    ///
    /// # Errors
    ///
    /// Returns a fault if the client has as many subscriptions as it may.
    pub(super) fn add_topic(&self, topic: &Topic, limits: &GatewayLimits) -> Result<bool, Fault> {
        let mut open = self.open.lock();
        if open.topics.contains(topic) {
            return Ok(false);
        }
        if open.topics.len() >= limits.subscriptions {
            let words = format!("a client may have at most {} subscriptions", limits.subscriptions);
            return Err(Fault::new("too_many_subscriptions", words).with_status(429));
        }
        Ok(open.topics.insert(topic.clone()))
    }

    /// Removes a subscription; returns whether it existed.
    pub(super) fn remove_topic(&self, topic: &Topic) -> bool {
        self.open.lock().topics.remove(topic)
    }

    /// Removes all subscriptions.
    pub(super) fn take_topics(&self) -> HashSet<Topic> {
        std::mem::take(&mut self.open.lock().topics)
    }

    /// Counts an answer that waits for a place in the client's queue, until the guard is dropped. `None` if such answers
    /// have as many bytes as the queue may have.
    pub(super) fn hold_answer(self: &Arc<Self>, bytes: usize, max_bytes: usize) -> Option<HeldAnswer> {
        let before = self.answers.fetch_add(bytes, Ordering::Relaxed);
        let held = HeldAnswer { visit: Arc::clone(self), bytes };
        (before == 0 || before + bytes <= max_bytes).then_some(held)
    }
}

/// A call in flight.
#[derive(Debug)]
pub(super) struct CallSlot {
    pub(super) visit: Arc<Visit>,
    key: IdText,
    bytes: usize,
}

impl Drop for CallSlot {
    fn drop(&mut self) {
        let mut open = self.visit.open.lock();
        open.calls.remove(&self.key);
        open.bytes -= self.bytes;
    }
}

/// An answer that waits for a place in the client's queue.
#[derive(Debug)]
pub(super) struct HeldAnswer {
    visit: Arc<Visit>,
    bytes: usize,
}

impl Drop for HeldAnswer {
    fn drop(&mut self) {
        self.visit.answers.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LIMITS: GatewayLimits =
        GatewayLimits { calls: 2, subscriptions: 1, call_timeout: Duration::from_secs(1) };

    fn id(json: &str) -> RawJson {
        RawJson::whole(&bytes::Bytes::copy_from_slice(json.as_bytes()))
    }

    #[test]
    fn calls_are_bounded_in_number_and_bytes() {
        let visit = Arc::new(Visit::default());
        let code = |result: Result<CallSlot, Fault>| result.unwrap_err().code().map(str::to_owned);
        let first = visit.open_call(&id("1"), 90, &LIMITS, 100).unwrap();
        assert_eq!(code(visit.open_call(&id("1"), 1, &LIMITS, 100)).as_deref(), Some("duplicate_request_id"));
        assert_eq!(code(visit.open_call(&id("2"), 11, &LIMITS, 100)).as_deref(), Some("too_many_calls"));
        let second = visit.open_call(&id("2"), 10, &LIMITS, 100).unwrap();
        assert_eq!(code(visit.open_call(&id("3"), 0, &LIMITS, 100)).as_deref(), Some("too_many_calls"));
        drop((first, second));
        // One call of any size.
        assert!(visit.open_call(&id("1"), 1000, &LIMITS, 100).is_ok());
    }

    #[test]
    fn answers_that_wait_are_bounded_in_bytes() {
        let visit = Arc::new(Visit::default());
        let first = visit.hold_answer(90, 100);
        assert!(first.is_some());
        assert!(visit.hold_answer(11, 100).is_none());
        assert!(visit.hold_answer(10, 100).is_some());
    }
}
