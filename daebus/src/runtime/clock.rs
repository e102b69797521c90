//! What time it is, in the world and in a test.

use std::time::SystemTime;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::time::Instant;

/// What time it is: the system's clock, or in a test one that follows tokio's, which can be paused.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clock(Option<Anchor>);

/// A moment on both clocks.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    wall: Timestamp,
    at: Instant,
}

impl Clock {
    /// A clock that shows `wall` now and goes on with tokio's.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn following_tokio(wall: Timestamp) -> Self {
        Self(Some(Anchor { wall, at: Instant::now() }))
    }

    /// Whether tests may rely on every moment of it.
    pub(crate) fn is_simulated(&self) -> bool {
        self.0.is_some()
    }

    pub(crate) fn now(&self) -> Timestamp {
        match self.0 {
            None => Timestamp::now(),
            Some(Anchor { wall, at }) => {
                // Saturating is for form's sake: nobody advances a test by ten thousand years.
                wall.checked_add(at.elapsed()).unwrap_or(Timestamp::MAX)
            }
        }
    }

    /// The time that was, or will be, shown at `instant` if nobody sets the clock.
    pub(crate) fn at(&self, instant: Instant) -> SystemTime {
        let (now, wall) = (Instant::now(), SystemTime::from(self.now()));
        let shown =
            if instant >= now { wall.checked_add(instant - now) } else { wall.checked_sub(now - instant) };
        shown.unwrap_or(wall)
    }

    /// The time zone of the machine; UTC in a test, and where the machine has none.
    pub(crate) fn zone(&self) -> TimeZone {
        if self.is_simulated() { TimeZone::UTC } else { TimeZone::try_system().unwrap_or(TimeZone::UTC) }
    }
}
