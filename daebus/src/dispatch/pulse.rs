//! A health check of the loop that takes messages in.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// Checks whether the loop that takes messages in makes progress.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pulse(Arc<PulseState>);

#[derive(Debug, Default)]
struct PulseState {
    phase: Mutex<LoopPhase>,
    asked: Notify,
    answered: Notify,
}

/// The phase of the loop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum LoopPhase {
    /// There is no loop: the service has no actions, has not joined its bus yet, or has drained.
    #[default]
    Idle,
    Running,
    /// The loop ended without a drain, so requests are no longer taken in.
    Broken,
}

impl Pulse {
    /// Returns whether the loop responds `within` that time. Returns true if there is no loop, and false if the loop ended
    /// without a drain.
    pub(crate) async fn beats(&self, within: Duration) -> bool {
        let answered = self.0.answered.notified();
        match self.0.phase() {
            LoopPhase::Idle => return true,
            LoopPhase::Broken => return false,
            LoopPhase::Running => self.0.asked.notify_one(),
        }
        tokio::time::timeout(within, answered).await.is_ok() && self.0.phase() != LoopPhase::Broken
    }

    /// Marks the beginning of a loop, which ends with [`Beat::end`]. If the returned value is dropped instead, the loop
    /// counts as broken.
    pub(super) fn begin(&self) -> Beat {
        *self.0.phase.lock() = LoopPhase::Running;
        Beat(Arc::clone(&self.0))
    }
}

impl PulseState {
    fn phase(&self) -> LoopPhase {
        *self.phase.lock()
    }
}

/// The loop's side of the check.
#[derive(Debug)]
pub(super) struct Beat(Arc<PulseState>);

impl Beat {
    /// Waits until the loop is checked.
    pub(super) async fn asked(&mut self) {
        self.0.asked.notified().await;
    }

    /// Answers a check.
    pub(super) fn answer(&mut self) {
        self.0.answered.notify_waiters();
    }

    /// Marks the end of the loop in a drain.
    pub(super) fn end(self) {
        *self.0.phase.lock() = LoopPhase::Idle;
    }
}

impl Drop for Beat {
    fn drop(&mut self) {
        let mut phase = self.0.phase.lock();
        if *phase == LoopPhase::Running {
            *phase = LoopPhase::Broken;
        }
        drop(phase);
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
        assert!(pulse.beats(WITHIN).await, "there is no loop");
        let mut beat = pulse.begin();
        assert!(!pulse.beats(WITHIN).await);
        let turning = tokio::spawn(async move {
            // The check that was not answered is still pending and merges with the next one.
            beat.asked().await;
            beat.answer();
            beat
        });
        assert!(pulse.beats(WITHIN).await);
        let beat = tokio::time::timeout(WITHIN, turning).await.expect("the loop answers").unwrap();
        beat.end();
        assert!(pulse.beats(WITHIN).await, "the loop has drained");
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_ended_without_a_drain_is_unhealthy() {
        let pulse = Pulse::default();
        drop(pulse.begin());
        assert!(!pulse.beats(WITHIN).await);
        let beat = pulse.begin();
        let checked = tokio::spawn({
            let pulse = pulse.clone();
            async move { pulse.beats(WITHIN).await }
        });
        tokio::task::yield_now().await;
        drop(beat);
        assert!(!checked.await.unwrap(), "the loop ended during the check");
    }
}
