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
    /// The request IDs of the subscriptions that wait for the bus. They don't count as calls, so that a client that restores
    /// its subscriptions can call.
    confirmations: HashSet<IdText>,
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
    ) -> Result<RequestSlot, Fault> {
        let mut open = self.open.lock();
        open.check_is_new(request_id)?;
        let is_full = open.calls.len() >= limits.calls || (open.bytes > 0 && open.bytes + bytes > max_bytes);
        if is_full {
            let words = format!("at most {} calls of one client may be in flight", limits.calls);
            return Err(Fault::new("too_many_calls", words).with_status(429));
        }
        let key: IdText = request_id.as_str().into();
        open.calls.insert(Arc::clone(&key));
        open.bytes += bytes;
        Ok(RequestSlot { visit: Arc::clone(self), key, bytes })
    }

    /// Registers a subscription that waits for the bus. It is pending until the slot is dropped.
    ///
    /// # Errors
    ///
    /// Returns a fault if a request with this ID is in flight, or if as many subscriptions are pending as a client may have.
    pub(super) fn open_confirmation(
        self: &Arc<Self>,
        request_id: &RawJson,
        limits: &GatewayLimits,
    ) -> Result<RequestSlot, Fault> {
        let mut open = self.open.lock();
        open.check_is_new(request_id)?;
        if open.confirmations.len() >= limits.subscriptions {
            return Err(too_many_subscriptions(limits));
        }
        let key: IdText = request_id.as_str().into();
        open.confirmations.insert(Arc::clone(&key));
        Ok(RequestSlot { visit: Arc::clone(self), key, bytes: 0 })
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
            return Err(too_many_subscriptions(limits));
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

impl Open {
    fn check_is_new(&self, request_id: &RawJson) -> Result<(), Fault> {
        if self.calls.contains(request_id.as_str()) || self.confirmations.contains(request_id.as_str()) {
            return Err(Fault::new("duplicate_request_id", "a request with this request_id is in flight"));
        }
        Ok(())
    }
}

fn too_many_subscriptions(limits: &GatewayLimits) -> Fault {
    let words = format!("a client may have at most {} subscriptions", limits.subscriptions);
    Fault::new("too_many_subscriptions", words).with_status(429)
}

/// A call in flight, or a subscription that waits for the bus.
#[derive(Debug)]
pub(super) struct RequestSlot {
    pub(super) visit: Arc<Visit>,
    key: IdText,
    bytes: usize,
}

impl Drop for RequestSlot {
    fn drop(&mut self) {
        let mut open = self.visit.open.lock();
        let _ = open.calls.remove(&self.key) || open.confirmations.remove(&self.key);
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
        let code = |result: Result<RequestSlot, Fault>| result.unwrap_err().code().map(str::to_owned);
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
    fn pending_subscriptions_take_no_place_of_a_call() {
        let visit = Arc::new(Visit::default());
        let pending = visit.open_confirmation(&id("1"), &LIMITS).unwrap();
        let code = |result: Result<RequestSlot, Fault>| result.unwrap_err().code().map(str::to_owned);
        assert_eq!(
            code(visit.open_confirmation(&id("2"), &LIMITS)).as_deref(),
            Some("too_many_subscriptions")
        );
        assert_eq!(code(visit.open_call(&id("1"), 0, &LIMITS, 100)).as_deref(), Some("duplicate_request_id"));
        let calls = [visit.open_call(&id("2"), 0, &LIMITS, 100), visit.open_call(&id("3"), 0, &LIMITS, 100)];
        assert!(calls.iter().all(Result::is_ok));
        drop(pending);
        assert!(visit.open_confirmation(&id("1"), &LIMITS).is_ok());
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
