//! Delays between attempts: exponential backoff and jitter.

use std::time::Duration;

/// Delays that double with each attempt, up to a maximum.
///
/// Half of each delay is random, so that peers that fail together don't retry together.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    max: Duration,
    next: Duration,
    has_jitter: bool,
}

impl Backoff {
    /// Creates a backoff that starts at `first` and stays at `max`; a `max` below `first` counts as `first`.
    pub fn new(first: Duration, max: Duration) -> Self {
        Self { first, max: max.max(first), next: first, has_jitter: true }
    }

    /// Removes the random part: each delay is exactly twice the delay before it.
    #[must_use]
    pub fn without_jitter(mut self) -> Self {
        self.has_jitter = false;
        self
    }

    /// Returns how long to wait before the next attempt: between half of the current delay and all of it.
    pub fn next_delay(&mut self) -> Duration {
        let delay = self.next;
        self.next = delay.saturating_mul(2).min(self.max);
        if self.has_jitter { delay.saturating_sub(jitter(delay / 2)) } else { delay }
    }

    /// Starts over with the first delay. To be called after a success.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

/// Returns a random duration between zero and `max`.
pub fn jitter(max: Duration) -> Duration {
    max.mul_f64(fastrand::f64())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const FIRST: Duration = Duration::from_millis(100);
    const MAX: Duration = Duration::from_secs(2);

    fn exact(first: Duration, max: Duration) -> Backoff {
        Backoff::new(first, max).without_jitter()
    }

    #[test]
    fn delays_double_up_to_the_maximum() {
        let mut backoff = exact(FIRST, MAX);
        let delays: Vec<u128> = (0..7).map(|_| backoff.next_delay().as_millis()).collect();
        assert_eq!(delays, [100, 200, 400, 800, 1600, 2000, 2000]);
    }

    #[test]
    fn jitter_takes_away_at_most_half_of_a_delay() {
        let (mut backoff, mut whole) = (Backoff::new(FIRST, MAX), exact(FIRST, MAX));
        for attempt in 0..1000 {
            let (delay, whole) = (backoff.next_delay(), whole.next_delay());
            assert!(delay >= whole / 2 && delay <= whole, "attempt {attempt}: {delay:?} of {whole:?}");
        }
    }

    #[test]
    fn delays_of_several_clients_differ() {
        let delays: HashSet<Duration> = (0..20).map(|_| Backoff::new(FIRST, MAX).next_delay()).collect();
        assert!(delays.len() > 1);
    }

    #[test]
    fn a_reset_starts_over_with_the_first_delay() {
        let mut backoff = exact(FIRST, MAX);
        backoff.next_delay();
        backoff.next_delay();
        backoff.reset();
        assert_eq!(backoff.next_delay(), FIRST);
    }

    #[test]
    fn a_maximum_below_the_first_delay_counts_as_the_first_delay() {
        let mut backoff = exact(MAX, FIRST);
        assert_eq!((backoff.next_delay(), backoff.next_delay()), (MAX, MAX));
    }

    #[test]
    fn extreme_durations_do_not_overflow() {
        let mut backoff = Backoff::new(Duration::MAX, Duration::MAX);
        assert!(backoff.next_delay() >= Duration::MAX / 2);
        assert!(backoff.next_delay() >= Duration::MAX / 2);
        assert_eq!(Backoff::new(Duration::ZERO, MAX).next_delay(), Duration::ZERO);
    }
}
