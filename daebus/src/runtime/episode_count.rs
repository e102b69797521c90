//! Counting what is not handled, for one log line when it begins and one when it ends.

use std::sync::atomic::{AtomicU64, Ordering};

/// The number of incidents since the last episode of them ended.
#[derive(Debug, Default)]
pub(crate) struct EpisodeCount(AtomicU64);

impl EpisodeCount {
    /// Counts an incident. Returns whether an episode begins with it.
    pub(crate) fn count(&self) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed) == 0
    }

    /// Ends the episode. Returns its number of incidents; `None` if there was none.
    pub(crate) fn end(&self) -> Option<u64> {
        // Most calls find no episode, and then nothing is written that other threads read.
        if self.0.load(Ordering::Relaxed) == 0 {
            return None;
        }
        Some(self.0.swap(0, Ordering::Relaxed)).filter(|count| *count > 0)
    }

    #[cfg(test)]
    pub(crate) fn current(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_episode_begins_once_and_ends_with_its_count() {
        let count = EpisodeCount::default();
        assert_eq!(count.end(), None);
        assert!(count.count());
        assert!(!count.count());
        assert_eq!(count.end(), Some(2));
        assert_eq!(count.end(), None);
        assert!(count.count(), "the next episode");
    }
}
