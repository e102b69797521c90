//! Episodes of requests that are not handled as their senders expect, for the log.

use tracing::warn;

/// What happened since the last episode ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Episode {
    pub(super) overloaded: u64,
    pub(super) dropped: u64,
    pub(super) undelivered: u64,
    pub(super) unreadable: u64,
    pub(super) oversized: u64,
    pub(super) unanswerable: u64,
}

/// A message that is not handled as its sender expects, whether there is a refusal to send or not.
#[derive(Debug, Clone, Copy)]
pub(super) enum Incident {
    /// Its envelope or payload is not JSON as the protocol requires it.
    Unreadable,
    /// It has more bytes than the service accepts.
    Oversized,
    /// The name of its reply channel breaks the rules for names.
    Unanswerable,
}

impl Episode {
    pub(super) fn log(self, service: &str) {
        let Self { overloaded, dropped, undelivered, unreadable, oversized, unanswerable } = self;
        warn!(
            service,
            overloaded,
            dropped,
            undelivered,
            unreadable,
            oversized,
            unanswerable,
            "requests are no longer refused"
        );
    }
}
