//! Advances a paused clock so that all timers fire in order.

use std::time::Duration;

use daebus_caller::deadline::Deadline;
use parking_lot::Mutex;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::time::Instant;

/// The resolution of tokio's timers.
const TICK: Duration = Duration::from_millis(1);

/// The maximum time that a test with the real clock waits for handlers to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// The clock of a test.
///
/// If all tasks wait, tokio advances a paused clock to the next timer. So a sleep advances the clock such that every timer on
/// the way fires in order, and the tasks that it wakes are idle again before the next timer fires. The sleep ends one tick after
/// the target, so that timers at the target fire as well. [`Paused`] prevents these ticks from adding up.
#[derive(Debug)]
pub(super) struct Time(Option<Mutex<Paused>>);

#[derive(Debug, Clone, Copy)]
struct Paused {
    /// The time to which the test has advanced the clock.
    target: Instant,
    /// The additional ticks by which the clock is ahead of `target`.
    beyond: Duration,
}

impl Time {
    pub(super) fn real() -> Self {
        Self(None)
    }

    /// Pauses the clock, unless `#[tokio::test(start_paused = true)]` has paused it.
    pub(super) fn paused() -> Self {
        assert!(
            Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread,
            "the clock of a multi-thread runtime can't be paused; write #[tokio::test] without a flavor, or \
             use TestApp::real_time"
        );
        if !is_paused() {
            tokio::time::pause();
        }
        Self(Some(Mutex::new(Paused { target: Instant::now(), beyond: Duration::ZERO })))
    }

    /// Advances the clock and fires all timers that are due by then.
    pub(super) async fn advance(&self, duration: Duration, is_idle: impl Fn() -> bool) {
        let Some(paused) = &self.0 else {
            tokio::time::sleep(duration).await;
            return wait_until_idle(is_idle).await;
        };
        let until = {
            let mut paused = paused.lock();
            let now = Instant::now();
            // A handler that slept while the test awaited its answer has also advanced the clock. Less than a tick is only the
            // rounding of a timer.
            let moved = now.saturating_duration_since(paused.target + paused.beyond);
            let moved = if moved < TICK { Duration::ZERO } else { moved };
            let target = (paused.target + moved)
                .checked_add(duration)
                .unwrap_or_else(|| Deadline::after(duration).instant());
            let until = target.max(now) + TICK;
            *paused = Paused { target, beyond: until - target };
            until
        };
        tokio::time::sleep_until(until).await;
    }
}

/// Waits until no handler is running, on the real clock.
async fn wait_until_idle(is_idle: impl Fn() -> bool) {
    let idle = async {
        loop {
            tokio::time::sleep(TICK).await;
            if is_idle() {
                return;
            }
        }
    };
    // A handler that is still running may do so intentionally.
    let _ = tokio::time::timeout(PATIENCE, idle).await;
}

/// Returns whether tokio's clock is paused, for which tokio has no function: it stands still while that of the system advances.
fn is_paused() -> bool {
    let (tokio, system) = (Instant::now(), std::time::Instant::now());
    while system.elapsed() < Duration::from_micros(10) {
        std::hint::spin_loop();
    }
    Instant::now() == tokio
}
