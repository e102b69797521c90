//! Advancing a paused clock without leaving anything out.

use std::time::Duration;

use daebus_caller::deadline::Deadline;
use parking_lot::Mutex;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::time::Instant;

/// tokio's timers count in these.
const TICK: Duration = Duration::from_millis(1);

/// How long a test with the real clock waits for handlers to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// The clock of a test.
///
/// A paused clock moves by itself when everybody waits: to the next moment that anybody waits for, and no further.
/// So sleeping is the way to advance it, since every timer on the way fires in its turn and what it woke has come to
/// rest before the next one does. For the timers of the last moment to be among them the sleep goes one tick beyond;
/// [`Paused`] keeps these ticks from adding up.
#[derive(Debug)]
pub(super) struct Time(Option<Mutex<Paused>>);

#[derive(Debug, Clone, Copy)]
struct Paused {
    /// Where the test has advanced the clock to.
    target: Instant,
    /// How far beyond it the clock stands for our own reasons.
    beyond: Duration,
}

impl Time {
    pub(super) fn real() -> Self {
        Self(None)
    }

    /// Pauses the clock, unless `#[tokio::test(start_paused = true)]` has.
    pub(super) fn paused() -> Self {
        assert!(
            Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread,
            "the clock can't be paused on a runtime of several threads; write #[tokio::test] without a flavor, or \
             use TestApp::real_time"
        );
        if !is_paused() {
            tokio::time::pause();
        }
        Self(Some(Mutex::new(Paused { target: Instant::now(), beyond: Duration::ZERO })))
    }

    /// Lets time go by, and everything happen that is due by then.
    pub(super) async fn advance(&self, duration: Duration, is_idle: impl Fn() -> bool) {
        let Some(paused) = &self.0 else {
            tokio::time::sleep(duration).await;
            return come_to_rest(is_idle).await;
        };
        let until = {
            let mut paused = paused.lock();
            let now = Instant::now();
            // A handler that slept while the test awaited its answer has moved the clock too. Less than a tick is
            // only a timer that was rounded up.
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

/// Waits until nothing runs, on the real clock.
async fn come_to_rest(is_idle: impl Fn() -> bool) {
    let idle = async {
        loop {
            tokio::time::sleep(TICK).await;
            if is_idle() {
                return;
            }
        }
    };
    // Who is still busy then may be so on purpose.
    let _ = tokio::time::timeout(PATIENCE, idle).await;
}

/// tokio doesn't say; but its clock stands still while the system's doesn't.
fn is_paused() -> bool {
    let (tokio, system) = (Instant::now(), std::time::Instant::now());
    while system.elapsed() < Duration::from_micros(10) {
        std::hint::spin_loop();
    }
    Instant::now() == tokio
}
