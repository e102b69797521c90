//! The final replies that are being sent.

use std::collections::HashMap;
use std::sync::Arc;

/// The inbox of a reply, and the ID of its request as JSON.
pub(super) type ReplyKey = (Arc<str>, Arc<str>);

/// The final replies that are being sent: they are in no queue, and may still be added to one.
#[derive(Debug, Default)]
pub(super) struct RepliesInFlight(HashMap<ReplyKey, RequestInFlight>);

/// The replies to one request. A request that is delivered twice has two.
#[derive(Debug, Default)]
struct RequestInFlight {
    replies: usize,
    is_withdrawn: bool,
}

impl RepliesInFlight {
    pub(super) fn start(&mut self, key: ReplyKey) {
        self.0.entry(key).or_default().replies += 1;
    }

    pub(super) fn end(&mut self, key: &ReplyKey) {
        if let Some(request) = self.0.get_mut(key) {
            request.replies -= 1;
            if request.replies == 0 {
                self.0.remove(key);
            }
        }
    }

    /// Marks the replies to a request as withdrawn; returns whether there are any.
    pub(super) fn withdraw(&mut self, key: &ReplyKey) -> bool {
        let request = self.0.get_mut(key);
        request.map(|request| request.is_withdrawn = true).is_some()
    }

    pub(super) fn is_withdrawn(&self, key: &ReplyKey) -> bool {
        self.0.get(key).is_some_and(|request| request.is_withdrawn)
    }
}
