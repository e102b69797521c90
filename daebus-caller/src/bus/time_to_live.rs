//! A key's time to live, as Redis counts it.

use std::time::Duration;

/// A time to live in the whole milliseconds Redis counts in, rounded up, and at most a hundred years, past which
/// Redis's sum with the current time could overflow.
pub(super) fn whole_millis(ttl: Duration) -> u64 {
    const HUNDRED_YEARS: u64 = 100 * 365 * 86_400 * 1000;
    u64::try_from(ttl.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX).min(HUNDRED_YEARS)
}
