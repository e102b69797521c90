//! The record of a publish that timed out while the bus was away.

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::bus::interface::BusState;

/// Records that a publish timed out while the bus was away. The record ends when the state of the bus changes.
#[derive(Debug, Default)]
pub(super) struct Outage(Mutex<Option<watch::Receiver<BusState>>>);

impl Outage {
    /// Returns whether a publish has failed during the current outage.
    pub(super) fn has_failed(&self) -> bool {
        let mut failed = self.0.lock();
        // A receiver that has seen every change is one of the outage that goes on.
        let goes_on = failed.as_ref().is_some_and(|states| matches!(states.has_changed(), Ok(false)));
        if !goes_on {
            *failed = None;
        }
        goes_on
    }

    /// Records a publish that has failed. `states` is the bus's state.
    pub(super) fn fail(&self, mut states: watch::Receiver<BusState>) {
        if *states.borrow_and_update() == BusState::Away {
            *self.0.lock() = Some(states);
        }
    }
}
