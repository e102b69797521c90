//! The final replies that are being sent.

use std::hash::{BuildHasher, RandomState};

use crate::number_map::NumberMap;

/// The replies to one request: a hash of their inbox and of the request's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ReplyKey(u64);

/// Makes the keys. The hash is keyed at random, so that no peer can choose two requests that have one key.
#[derive(Debug, Clone, Default)]
pub(super) struct ReplyKeys(RandomState);

impl ReplyKeys {
    pub(super) fn of(&self, inbox: &str, request_id: &str) -> ReplyKey {
        ReplyKey(self.0.hash_one((inbox, request_id)))
    }
}

/// The final replies that are being sent: they are in no queue, and may still be added to one.
#[derive(Debug, Default)]
pub(super) struct RepliesInFlight(NumberMap<RequestInFlight>);

/// The replies to one request. A request that is delivered twice has two.
#[derive(Debug, Default)]
struct RequestInFlight {
    replies: usize,
    is_withdrawn: bool,
}

impl RepliesInFlight {
    pub(super) fn start(&mut self, key: ReplyKey) {
        self.0.entry(key.0).or_default().replies += 1;
    }

    pub(super) fn end(&mut self, key: ReplyKey) {
        if let Some(request) = self.0.get_mut(&key.0) {
            request.replies -= 1;
            if request.replies == 0 {
                self.0.remove(&key.0);
            }
        }
    }

    /// Marks the replies to a request as withdrawn; returns whether there are any.
    pub(super) fn withdraw(&mut self, key: ReplyKey) -> bool {
        let request = self.0.get_mut(&key.0);
        request.map(|request| request.is_withdrawn = true).is_some()
    }

    pub(super) fn is_withdrawn(&self, key: ReplyKey) -> bool {
        self.0.get(&key.0).is_some_and(|request| request.is_withdrawn)
    }
}
