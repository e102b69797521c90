//! How often a call is attempted, and the delays between the attempts.

use std::time::Duration;

use crate::backoff::Backoff;
use crate::error::{BusError, CallError};

/// The longest delay between two attempts, unless the first delay is longer.
const MAX_DELAY: Duration = Duration::from_secs(2);

/// How often a call is attempted.
///
/// A call is repeated only if the action certainly did not run ([`CallError::is_not_run`]), and for an action that is
/// marked `idempotent` also if it may have run. All attempts together stay within the call's timeout.
///
/// Without a retry, too, a request that had no receiver is published again, as [`CallError::NoService`] describes.
///
/// A request of unknown outcome ([`BusError::Unknown`]) is waited for until the deadline, unless its action is `idempotent`
/// and another attempt is left.
///
/// ```
/// # use daebus_caller::Retry;
/// # use std::time::Duration;
/// let retry = Retry::attempts(5).backoff(Duration::from_millis(100));
/// # let _ = retry;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    attempts: u32,
    first_delay: Duration,
}

impl Retry {
    /// Makes at most `attempts` attempts in total; 0 counts as 1. The first delay defaults to 50 ms.
    pub fn attempts(attempts: u32) -> Self {
        Self { attempts: attempts.max(1), first_delay: Duration::from_millis(50) }
    }

    /// Sets the delay after the first attempt. It doubles with each further attempt, up to 2 s; half of it is random.
    #[must_use]
    pub fn backoff(mut self, first: Duration) -> Self {
        self.first_delay = first;
        self
    }

    /// Returns whether there is more than one attempt.
    pub(super) fn repeats(self) -> bool {
        self.attempts > 1
    }

    /// Returns the delays between the attempts.
    pub(super) fn delays(self) -> impl Iterator<Item = Duration> {
        let mut backoff = Backoff::new(self.first_delay, MAX_DELAY);
        (1..self.attempts).map(move |_| backoff.next_delay())
    }
}

impl Default for Retry {
    /// One attempt.
    fn default() -> Self {
        Self::attempts(1)
    }
}

impl From<u32> for Retry {
    fn from(attempts: u32) -> Self {
        Self::attempts(attempts)
    }
}

/// Whether another attempt can succeed without running the action twice.
pub(super) fn is_worth_retrying(error: &CallError, idempotent: bool) -> bool {
    match error {
        // Every attempt ends in the same error.
        CallError::Encode { .. }
        | CallError::Bus(BusError::Name(_) | BusError::Url { .. } | BusError::Encode { .. }) => false,
        CallError::Bus(BusError::Unknown { .. }) | CallError::InstanceLost { .. } => idempotent,
        error => error.is_not_run(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_one_fewer_than_attempts_and_stay_bounded() {
        let delays: Vec<Duration> =
            Retry::attempts(40).backoff(Duration::from_millis(100)).delays().collect();
        assert_eq!(delays.len(), 39);
        assert!(delays[0] <= Duration::from_millis(100));
        assert!(delays.iter().all(|delay| *delay <= MAX_DELAY), "{delays:?}");
        assert!(delays[38] >= MAX_DELAY / 2);
    }

    #[test]
    fn a_first_delay_above_the_maximum_is_kept() {
        let first = 2 * MAX_DELAY;
        assert!(Retry::attempts(4).backoff(first).delays().all(|delay| delay >= first / 2 && delay <= first));
    }

    #[test]
    fn zero_attempts_count_as_one() {
        assert_eq!(Retry::attempts(0), Retry::from(1));
        assert_eq!(Retry::default().delays().count(), 0);
    }
}
