//! The sessions that have ended, or that this instance never had: each gets one final reply.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::dispatch::cancellations::RequestKey;

/// How long an ended session is kept. Its caller notices the end far earlier.
const KEPT_FOR: Duration = Duration::from_secs(30);

/// How many are kept, some 50 bytes each.
const KEPT: usize = 4096;

/// The sessions that have had their final reply. Beyond the limits the oldest is dropped; a further message to it gets another
/// final reply, which its caller ignores.
#[derive(Debug, Default)]
pub(super) struct EndedSessions(Mutex<EndedKeys>);

#[derive(Debug, Default)]
struct EndedKeys {
    keys: HashSet<RequestKey>,
    by_age: VecDeque<(Instant, RequestKey)>,
}

impl EndedSessions {
    /// Adds a session. Returns whether it is new.
    pub(super) fn add(&self, key: RequestKey) -> bool {
        let now = Instant::now();
        let mut kept = self.0.lock();
        let is_new = kept.keys.insert(key);
        if is_new {
            kept.by_age.push_back((now, key));
        }
        while kept
            .by_age
            .front()
            .is_some_and(|(ended, _)| kept.by_age.len() > KEPT || *ended + KEPT_FOR <= now)
        {
            if let Some((_, oldest)) = kept.by_age.pop_front() {
                kept.keys.remove(&oldest);
            }
        }
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn ended_sessions_are_bounded_and_expire() {
        let key = |id: usize| RequestKey(id as u64);
        let ended = EndedSessions::default();
        assert!(ended.add(key(0)));
        assert!(!ended.add(key(0)), "it has its final reply");
        for id in 1..=KEPT {
            assert!(ended.add(key(id)));
        }
        assert!(ended.add(key(0)), "the oldest was dropped");
        tokio::time::advance(KEPT_FOR).await;
        ended.add(key(1));
        let kept = ended.0.lock();
        assert!(kept.by_age.len() <= 2 && kept.keys.len() == kept.by_age.len(), "{}", kept.by_age.len());
    }
}
