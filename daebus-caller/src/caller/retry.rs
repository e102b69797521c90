//! How often a call is tried, and how long it rests in between.

use std::time::Duration;

use crate::error::{BusError, CallError};

/// The longest rest between two tries.
const LONGEST_REST: Duration = Duration::from_secs(2);

/// How often a call is tried.
///
/// A call is tried again only when it wasn't run for sure ([`CallError::is_not_run`]), and for an action that is marked
/// `idempotent` also when it may have been run. All tries together stay within the call's timeout.
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
    first_rest: Duration,
}

impl Retry {
    /// Tries at most `attempts` times in all; 0 counts as 1. The first rest is 50 ms.
    pub fn attempts(attempts: u32) -> Self {
        Self { attempts: attempts.max(1), first_rest: Duration::from_millis(50) }
    }

    /// Rests about `first` after the first try and twice as long after each further one, 2 s at most.
    #[must_use]
    pub fn backoff(mut self, first: Duration) -> Self {
        self.first_rest = first;
        self
    }

    /// How long to rest after try number `tried` (from 1) failed; `None` when that was the last.
    pub(super) fn rest_after(&self, tried: u32) -> Option<Duration> {
        if tried >= self.attempts {
            return None;
        }
        let full = self
            .first_rest
            .saturating_mul(2_u32.saturating_pow(tried - 1))
            .min(LONGEST_REST.max(self.first_rest));
        // Between half of it and all of it, so that callers who failed together don't come back together.
        let random = u32::from_le_bytes(random_bytes());
        Some(full.mul_f64(0.5 + 0.5 * f64::from(random) / f64::from(u32::MAX)))
    }
}

impl Default for Retry {
    /// One try.
    fn default() -> Self {
        Self::attempts(1)
    }
}

impl From<u32> for Retry {
    fn from(attempts: u32) -> Self {
        Self::attempts(attempts)
    }
}

/// Whether another try can help and can't do harm.
pub(super) fn is_worth_retrying(error: &CallError, idempotent: bool) -> bool {
    match error {
        // These end the same way however often they are tried.
        CallError::Encode { .. }
        | CallError::Bus(BusError::Name(_) | BusError::Url { .. } | BusError::Encode { .. }) => false,
        CallError::Bus(BusError::Unknown { .. }) | CallError::InstanceLost { .. } => idempotent,
        error => error.is_not_run(),
    }
}

fn random_bytes() -> [u8; 4] {
    let [a, b, c, d, ..] = *uuid::Uuid::new_v4().as_bytes();
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_grow_and_stay_bounded() {
        let retry = Retry::attempts(40).backoff(Duration::from_millis(100));
        for tried in 1..40 {
            let rest = retry.rest_after(tried).unwrap();
            let full =
                Duration::from_millis(100).saturating_mul(2_u32.saturating_pow(tried - 1)).min(LONGEST_REST);
            assert!(rest >= full / 2 && rest <= full, "rest {tried} is {rest:?} of {full:?}");
        }
        assert_eq!(retry.rest_after(40), None);
    }

    #[test]
    fn no_attempts_is_one_attempt() {
        assert_eq!(Retry::attempts(0), Retry::from(1));
        assert_eq!(Retry::default().rest_after(1), None);
    }
}
