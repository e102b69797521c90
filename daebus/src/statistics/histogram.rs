//! A histogram of durations with fixed buckets.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The bounds of one decade, in hundredths: the series R20 of ISO 3, of which each step is at most 14.3 % wide. It contains
/// the bounds that Prometheus's clients have by default.
const DECADE: [u64; 20] =
    [100, 112, 125, 140, 160, 180, 200, 224, 250, 280, 315, 355, 400, 450, 500, 560, 630, 710, 800, 900];

/// From 1 µs to 10,000 s.
const DECADES: usize = 10;

const LENGTH: usize = DECADE.len() * DECADES + 1;

/// The upper bound of each bucket, in nanoseconds and inclusive. One more bucket holds longer durations.
static BOUNDS: [u64; LENGTH] = bounds();

const fn bounds() -> [u64; LENGTH] {
    let mut bounds = [0; LENGTH];
    // Hundredths of a microsecond, in nanoseconds.
    let (mut at, mut unit) = (0, 10);
    while at < LENGTH {
        bounds[at] = DECADE[at % DECADE.len()] * unit;
        at += 1;
        if at % DECADE.len() == 0 {
            unit *= 10;
        }
    }
    bounds
}

/// A histogram of durations. Recording is two relaxed additions, and the search for the bucket.
#[derive(Debug)]
pub(super) struct Histogram {
    buckets: [AtomicU64; LENGTH + 1],
    nanos: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: [const { AtomicU64::new(0) }; LENGTH + 1], nanos: AtomicU64::new(0) }
    }
}

impl Histogram {
    pub(super) fn record(&self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.partition_point(|bound| *bound < nanos);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// The snapshot derives the number of durations from its buckets, so that the two always agree.
    pub(super) fn snapshot(&self) -> HistogramSnapshot {
        let buckets = self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect();
        HistogramSnapshot { buckets, sum: Duration::from_nanos(self.nanos.load(Ordering::Relaxed)) }
    }
}

/// The durations that a [`Histogram`] had recorded.
#[derive(Debug, Clone)]
pub(crate) struct HistogramSnapshot {
    buckets: Vec<u64>,
    sum: Duration,
}

impl HistogramSnapshot {
    /// Returns how many durations there are.
    pub(crate) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Returns the sum of all durations.
    pub(crate) fn sum(&self) -> Duration {
        self.sum
    }

    /// Returns the mean duration; zero if there is none.
    pub(crate) fn mean(&self) -> Duration {
        let nanos = self.sum.as_nanos().checked_div(u128::from(self.count())).unwrap_or_default();
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Estimates the duration that `percent` of all durations don't exceed; zero if there is none. The estimate is the middle
    /// of a bucket, and is off by at most 7.2 % from 1 µs to 10,000 s.
    pub(crate) fn percentile(&self, percent: u64) -> Duration {
        let rank = self.count().saturating_mul(percent).div_ceil(100).max(1);
        let mut seen = 0;
        let bucket = self.buckets.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        let bound = |at: usize| BOUNDS[at.min(LENGTH - 1)];
        let nanos = match bucket {
            None => 0,
            Some(0) => bound(0),
            Some(at) => bound(at - 1).midpoint(bound(at)),
        };
        Duration::from_nanos(nanos)
    }

    /// Returns how many durations don't exceed each of the `limits`, which are bounds of buckets in ascending order.
    pub(crate) fn up_to(&self, limits: &[Duration]) -> Vec<u64> {
        let cumulative = limits.iter().map(|limit| {
            let end = BOUNDS.partition_point(|bound| u128::from(*bound) <= limit.as_nanos());
            self.buckets[..end].iter().sum()
        });
        cumulative.collect()
    }

    /// Adds the durations of another snapshot.
    pub(crate) fn add(&mut self, other: &Self) {
        for (bucket, more) in self.buckets.iter_mut().zip(&other.buckets) {
            *bucket += more;
        }
        self.sum += other.sum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_ascend_from_a_microsecond_to_ten_thousand_seconds() {
        assert_eq!((BOUNDS[0], BOUNDS[LENGTH - 1]), (1_000, 10_000_000_000_000));
        assert!(BOUNDS.windows(2).all(|pair| pair[0] < pair[1] && pair[1] * 7 <= pair[0] * 8));
    }

    #[test]
    fn the_estimate_of_a_percentile_is_off_by_at_most_the_stated_error() {
        let mut nanos: u64 = 1_001;
        while nanos < 10_000_000_000_000 {
            let histogram = Histogram::default();
            histogram.record(Duration::from_nanos(nanos));
            let estimate = histogram.snapshot().percentile(99).as_nanos();
            let error = u128::from(nanos).abs_diff(estimate);
            assert!(error * 1000 <= u128::from(nanos) * 72, "{nanos} ns were estimated as {estimate} ns");
            nanos += nanos / 97 + 1;
        }
    }

    #[test]
    fn the_slowest_hundredth_is_above_the_percentile() {
        let histogram = Histogram::default();
        assert_eq!((histogram.snapshot().percentile(99), histogram.snapshot().mean()), Default::default());
        for _ in 0..99 {
            histogram.record(Duration::from_millis(1));
        }
        histogram.record(Duration::from_secs(1));
        let snapshot = histogram.snapshot();
        assert!(snapshot.percentile(99) <= Duration::from_millis(1));
        assert!(snapshot.percentile(100) > Duration::from_millis(900));
        assert_eq!((snapshot.count(), snapshot.sum()), (100, Duration::from_millis(1_099)));
        assert_eq!(snapshot.mean(), Duration::from_micros(10_990));
        histogram.record(Duration::from_millis(20));
        assert!(histogram.snapshot().percentile(99) > Duration::from_millis(18));
    }

    #[test]
    fn a_duration_counts_up_to_its_own_limit() {
        let histogram = Histogram::default();
        for duration in [0, 5_000_000, 5_000_001, 20_000_000_000_000] {
            histogram.record(Duration::from_nanos(duration));
        }
        let mut snapshot = histogram.snapshot();
        let limits = [Duration::from_millis(5), Duration::from_millis(10), Duration::from_secs(10)];
        assert_eq!(snapshot.up_to(&limits), [2, 3, 3]);
        snapshot.add(&histogram.snapshot());
        assert_eq!((snapshot.up_to(&limits), snapshot.count()), (vec![4, 6, 6], 8));
    }
}
