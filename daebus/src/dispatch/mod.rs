//! Requests and broadcasts from the bus: admission, claims, handlers and replies.
//!
//! An unreadable payload, an unknown action, a passed deadline and a panic each become a fault here.

mod actions;
mod batches;
mod built_in;
mod cancellations;
mod claim_checks;
mod early_cancels;
mod episode;
mod intake;
mod listeners;
mod pulse;
mod refusals;
mod sessions;
mod shared;

use std::time::Duration;

use daebus_caller::bus::QueueLimits;

pub(crate) use actions::Actions;
pub(crate) use intake::Intakes;
pub(crate) use listeners::listen;
pub(crate) use pulse::Pulse;

/// How much a service takes on; every limit has a builder method of [`Daebus`](crate::Daebus).
#[derive(Debug, Clone, Copy)]
pub(crate) struct HandlerLimits {
    /// Handlers that run at once.
    pub(crate) concurrency: usize,
    /// Requests that wait for their turn.
    pub(crate) backlog: usize,
    /// Bytes of one message.
    pub(crate) message_bytes: usize,
    /// Requests that are received and not yet admitted.
    pub(crate) intake: QueueLimits,
    /// Refusals that are not published yet.
    pub(crate) refusals: QueueLimits,
    /// Bytes of broadcasts that wait for one listener.
    pub(crate) listener_bytes: usize,
    /// How long a handler may take by default.
    pub(crate) timeout: Duration,
}

impl Default for HandlerLimits {
    fn default() -> Self {
        Self {
            // Half the threads that tokio keeps for blocking work: sync handlers at full load leave room for others'.
            concurrency: 256,
            // At 256 at once, four turns of waiting; a caller's 5 s are usually over before a longer line is.
            backlog: 1024,
            // What a machine with little memory can hold a few of. Python has no limit; larger things belong on disk.
            message_bytes: 16 * 1024 * 1024,
            // A burst that a busy service admits or refuses within a second.
            intake: QueueLimits { messages: 8192, ..QueueLimits::default() },
            // Some 250 bytes each, so that a burst of 100,000 calls is answered.
            refusals: QueueLimits { messages: 262_144, bytes: 64 * 1024 * 1024 },
            listener_bytes: QueueLimits::default().bytes,
            // Python has none. Long imports pass; a handler that hangs doesn't hold its place for ever.
            timeout: Duration::from_secs(300),
        }
    }
}
