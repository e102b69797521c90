//! The service's limit of concurrent handlers and its backlog, shared by everything that peers trigger.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::definition::Definition;

/// A handler may take another place while fewer than this many of its runs wait for each free place. One slow handler
/// fills at most 8 of 9 places, the others share the rest by the same rule, and a backlog of up to 8 is used fully.
const SHARE: usize = 8;

/// The service's limit of concurrent handlers and its backlog.
#[derive(Debug, Clone)]
pub(crate) struct Admission {
    /// Everything that runs or waits to run.
    places: Arc<Semaphore>,
    /// Everything that runs.
    turns: Arc<Semaphore>,
    /// How many runs may wait for their turn.
    backlog: usize,
}

impl Admission {
    /// Creates the limits of a service: runs at once, and runs that wait for their turn.
    pub(crate) fn new(concurrency: usize, backlog: usize) -> Self {
        let (places, turns) = (semaphore(concurrency.saturating_add(backlog)), semaphore(concurrency));
        // Less than `backlog` if that is more than a semaphore can count.
        let backlog = places.available_permits() - turns.available_permits();
        Self { places, turns, backlog }
    }

    /// Returns a place for one run, to be held until the run has ended. `None` if the backlog is full, or if the handler
    /// has its share of it.
    pub(crate) fn admit(&self, definition: &Definition) -> Option<OwnedSemaphorePermit> {
        // Runs that find a free turn don't wait, even if their tasks have yet to begin.
        let own_turns = definition.limit.as_ref().map_or(usize::MAX, |own| own.available_permits());
        let free_turns = self.turns.available_permits().min(own_turns);
        let waiting = definition.waiting.count().saturating_sub(free_turns);
        let has_share = waiting < SHARE.saturating_mul(self.places.available_permits());
        has_share.then(|| Arc::clone(&self.places).try_acquire_owned().ok()).flatten()
    }

    /// Returns how many runs wait for their turn.
    pub(crate) fn waiting(&self) -> usize {
        // The free places are those of the backlog and the free turns.
        let free = self.places.available_permits().saturating_sub(self.turns.available_permits());
        self.backlog.saturating_sub(free)
    }

    /// Returns the limit of concurrent runs, for [`Invocation::limited_by`](super::Invocation::limited_by).
    pub(crate) fn turns(&self) -> &Arc<Semaphore> {
        &self.turns
    }
}

fn semaphore(permits: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS)))
}
