//! The wall clock, real or simulated.

use std::time::SystemTime;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::time::Instant;

/// The wall clock: the clock of the system, or, in tests, a clock that follows tokio's, which can be paused.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clock(Option<Anchor>);

/// One moment on both clocks.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    wall: Timestamp,
    at: Instant,
}

impl Clock {
    /// Returns a clock that shows `wall` now and then follows tokio's clock.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn following_tokio(wall: Timestamp) -> Self {
        Self(Some(Anchor { wall, at: Instant::now() }))
    }

    /// Returns whether the clock follows tokio's, in a test.
    pub(crate) fn is_simulated(&self) -> bool {
        self.0.is_some()
    }

    pub(crate) fn now(&self) -> Timestamp {
        match self.0 {
            None => Timestamp::now(),
            Some(Anchor { wall, at }) => {
                // No test advances the clock by thousands of years.
                wall.checked_add(at.elapsed()).unwrap_or(Timestamp::MAX)
            }
        }
    }

    /// Returns the time that the clock shows at `instant`, unless the clock is set in between.
    pub(crate) fn at(&self, instant: Instant) -> SystemTime {
        let (now, wall) = (Instant::now(), SystemTime::from(self.now()));
        let shown =
            if instant >= now { wall.checked_add(instant - now) } else { wall.checked_sub(now - instant) };
        shown.unwrap_or(wall)
    }

    /// Returns the time zone of the machine, or UTC in a test and if the machine has none.
    pub(crate) fn zone(&self) -> TimeZone {
        if self.is_simulated() { TimeZone::UTC } else { TimeZone::try_system().unwrap_or(TimeZone::UTC) }
    }
}
