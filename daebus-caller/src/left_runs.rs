//! The runs of a service's instances that have left.

use std::collections::VecDeque;

use tokio::time::Instant;
use uuid::Uuid;

use crate::wire::presence::LEFT_MEMORY;

/// The maximum number of runs.
const LIMIT: usize = 1024;

/// The runs that have left, each with its revision: earlier events and infos of them may arrive late. An instance that was
/// taken for dead joins again with a later revision.
#[derive(Debug, Default)]
pub struct LeftRuns(VecDeque<LeftRun>);

#[derive(Debug)]
struct LeftRun {
    run: Uuid,
    rev: u64,
    at: Instant,
}

impl LeftRuns {
    /// Remembers a run that has left with that revision, for 30 s. A run that was replaced has `u64::MAX`.
    pub fn remember(&mut self, run: Uuid, rev: u64, now: Instant) {
        while self.0.len() >= LIMIT || self.0.front().is_some_and(|left| left.is_old(now)) {
            self.0.pop_front();
        }
        self.0.push_back(LeftRun { run, rev, at: now });
    }

    /// Returns whether the run has left with that revision or a later one.
    pub fn have(&self, run: Uuid, rev: u64, now: Instant) -> bool {
        self.0.iter().any(|left| left.run == run && left.rev >= rev && !left.is_old(now))
    }
}

impl LeftRun {
    fn is_old(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.at) >= LEFT_MEMORY
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const RUN: Uuid = Uuid::from_u128(1);

    #[tokio::test]
    async fn a_run_is_remembered_with_its_latest_revision_for_thirty_seconds() {
        let (mut left, now) = (LeftRuns::default(), Instant::now());
        left.remember(RUN, 5, now);
        left.remember(RUN, 3, now);
        assert!(left.have(RUN, 5, now));
        assert!(!left.have(RUN, 6, now), "it has joined again");
        assert!(!left.have(Uuid::from_u128(2), 1, now));
        assert!(left.have(RUN, 5, now + Duration::from_secs(29)));
        assert!(!left.have(RUN, 5, now + Duration::from_secs(30)));
    }

    #[tokio::test]
    async fn remembered_runs_are_bounded() {
        let (mut left, now) = (LeftRuns::default(), Instant::now());
        for run in 0..2 * LIMIT {
            left.remember(Uuid::from_u128(run as u128), 1, now);
        }
        assert_eq!(left.0.len(), LIMIT);
        left.remember(RUN, 1, now + LEFT_MEMORY);
        assert_eq!(left.0.len(), 1);
    }
}
