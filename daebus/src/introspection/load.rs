//! The queues in front of the handlers.

use std::collections::BTreeMap;

/// The lengths of the queues in front of the handlers, and the numbers of refused requests.
#[derive(Debug, Clone, Default)]
pub(crate) struct Load {
    /// Requests that were received and not yet admitted.
    pub(crate) intake: usize,
    /// Requests that found the intake full. They are among `refused` as well.
    pub(crate) intake_full: u64,
    /// Requests that were admitted and wait for their turn.
    pub(crate) backlog: usize,
    /// Refusals that are not yet published.
    pub(crate) refusals: usize,
    /// Requests that were not run, by the code of their refusal.
    pub(crate) refused: BTreeMap<&'static str, u64>,
    /// Refusals that found their queue full, so that their callers get no answer.
    pub(crate) refusals_dropped: u64,
}
