//! Messages that don't wait in the intake's queue: those of sessions, and `$cancel`.

use daebus_caller::bus::{Deliver, Message, Queue};
use tracing::debug;

use super::Actions;
use crate::dispatch::cancellations::{CancelledRequest, RequestKey, cancelled_request};
use crate::dispatch::early_cancels::read_cancel;
use crate::handler::Envelope;

impl Actions {
    pub(super) fn cancel(&self, envelope: &Envelope) {
        let Some(request) = cancelled_request(envelope) else {
            return debug!("a $cancel that names no request; it is ignored");
        };
        let known = self.take_back(&request, self.0.running.keys().of_cancelled(&request));
        debug!(request_id = request.request_id, known, "$cancel received");
    }

    /// Receives a message in the bus's reader. A `$cancel` doesn't wait behind requests, which would run in vain.
    pub(super) fn arrive(&self, message: Message, queue: &Queue) {
        // A panic over the content of a message must not end the reader.
        let panics = &self.0.core.panics;
        if !panics.contain_sync("intake", || self.cancel_early(&message)).unwrap_or_default() {
            queue.deliver(message);
        }
    }

    /// Hands a message to its session, or applies a `$cancel`, also to a request that still waits in the queue. Returns
    /// whether the message is either.
    fn cancel_early(&self, message: &Message) -> bool {
        if self.0.sessions.deliver(message) {
            return true;
        }
        let Some(request) = read_cancel(message) else { return false };
        let key = self.0.running.keys().of_cancelled(&request);
        // Added first: the request may be admitted meanwhile.
        self.0.early_cancels.add(key, message.received);
        let known = self.take_back(&request, key);
        if known {
            self.0.early_cancels.remove(key);
        }
        debug!(request_id = request.request_id, known, "$cancel arrived");
        true
    }

    /// Ends the handler of a request and stops repeating its reply. Returns whether the request was known.
    fn take_back(&self, request: &CancelledRequest, key: RequestKey) -> bool {
        let is_withdrawn = self.0.core.outbox.withdraw(&request.inbox, &request.request_id);
        self.0.running.cancel(key) || is_withdrawn
    }
}
