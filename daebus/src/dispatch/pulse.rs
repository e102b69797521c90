//! Whether the loop that takes messages in still turns.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

/// Asks the loop that takes messages in whether it still turns.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pulse(Arc<PulseState>);

#[derive(Debug, Default)]
struct PulseState {
    /// There is a loop. A service without actions has none, nor has one that hasn't joined its bus yet.
    turning: AtomicBool,
    asked: Notify,
    answered: Notify,
}

impl Pulse {
    /// Whether the loop, if there is one, has come round `within` that time.
    pub(crate) async fn beats(&self, within: Duration) -> bool {
        if !self.0.turning.load(Ordering::Acquire) {
            return true;
        }
        let answered = self.0.answered.notified();
        self.0.asked.notify_one();
        tokio::time::timeout(within, answered).await.is_ok()
    }

    /// A loop begins; it ends when what this returns is dropped.
    pub(super) fn begin(&self) -> Beat {
        self.0.turning.store(true, Ordering::Release);
        Beat(Arc::clone(&self.0))
    }
}

/// The loop's end of it.
#[derive(Debug)]
pub(super) struct Beat(Arc<PulseState>);

impl Beat {
    /// Waits until somebody asks.
    pub(super) async fn asked(&mut self) {
        self.0.asked.notified().await;
    }

    /// Answers.
    pub(super) fn answer(&mut self) {
        self.0.answered.notify_waiters();
    }
}

impl Drop for Beat {
    fn drop(&mut self) {
        self.0.turning.store(false, Ordering::Release);
        self.answer();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WITHIN: Duration = Duration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_turns_answers_and_one_that_hangs_does_not() {
        let pulse = Pulse::default();
        assert!(pulse.beats(WITHIN).await, "nobody is there to hang");
        let mut beat = pulse.begin();
        assert!(!pulse.beats(WITHIN).await);
        let turning = tokio::spawn(async move {
            // The question that nobody answered still stands, and is one with the next.
            beat.asked().await;
            beat.answer();
        });
        assert!(pulse.beats(WITHIN).await);
        tokio::time::timeout(WITHIN, turning).await.expect("the loop ends").unwrap();
        assert!(pulse.beats(WITHIN).await, "it has ended");
    }
}
