//! Rates: the differences between two `$stats` of one instance.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::report::{HandlerStats, StatsReport};

/// What an instance did between two reports.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(super) struct Rates {
    pub(super) requests_per_second: f64,
    pub(super) errors_per_second: f64,
    pub(super) refused_per_second: f64,
    /// The mean duration of the runs that have ended in between.
    pub(super) mean_seconds: Option<f64>,
    /// The largest 99th percentile, since the start, of the handlers that have run in between.
    pub(super) p99_seconds: Option<f64>,
}

impl Rates {
    /// Returns `None` if the instance was started again in between.
    pub(super) fn between(before: &StatsReport, after: &StatsReport) -> Option<Self> {
        // By the clock of the instance: how long the answers took doesn't matter.
        let seconds = after.uptime_seconds - before.uptime_seconds;
        if before.started != after.started || seconds <= 0.0 {
            return None;
        }
        let earlier: BTreeMap<_, _> =
            requested(before).map(|handler| ((&handler.kind, &handler.name), handler)).collect();
        let none = HandlerStats::default();
        let (mut requests, mut errors, mut nanos, mut p99) = (0, 0, 0, 0);
        for handler in requested(after) {
            let earlier = earlier.get(&(&handler.kind, &handler.name)).copied().unwrap_or(&none);
            let ended = handler.num_requests.saturating_sub(earlier.num_requests);
            requests += ended;
            errors += handler.num_errors.saturating_sub(earlier.num_errors);
            nanos += handler.processing_time.saturating_sub(earlier.processing_time);
            if ended > 0 {
                p99 = handler.p99_processing_time.max(p99);
            }
        }
        let refused = total(&after.refused).saturating_sub(total(&before.refused));
        let per_second = |count: u64| as_f64(count) / seconds;
        let has_run = requests > 0;
        Some(Self {
            requests_per_second: per_second(requests),
            errors_per_second: per_second(errors),
            refused_per_second: per_second(refused),
            mean_seconds: has_run.then(|| as_f64(nanos) / as_f64(requests) / 1e9),
            p99_seconds: has_run.then(|| as_f64(p99) / 1e9),
        })
    }

    /// Adds the rates of another instance.
    pub(super) fn add(&mut self, other: &Self) {
        let weighted = |rates: &Self| Some(rates.mean_seconds? * rates.requests_per_second);
        let nanos = weighted(self).unwrap_or_default() + weighted(other).unwrap_or_default();
        self.requests_per_second += other.requests_per_second;
        self.errors_per_second += other.errors_per_second;
        self.refused_per_second += other.refused_per_second;
        let has_run = self.mean_seconds.is_some() || other.mean_seconds.is_some();
        self.mean_seconds = has_run.then(|| nanos / self.requests_per_second);
        self.p99_seconds = [self.p99_seconds, other.p99_seconds].into_iter().flatten().max_by(f64::total_cmp);
    }
}

/// The handlers that run for a request or a message. A schedule or a thread may run for hours.
pub(super) fn requested(report: &StatsReport) -> impl Iterator<Item = &HandlerStats> {
    let is_requested =
        |kind: &str| ["action", "listen", "route"].contains(&kind) || kind.starts_with("socket");
    report.handlers.iter().filter(move |handler| is_requested(&handler.kind))
}

/// Returns the sum of counts.
pub(super) fn total(counts: &BTreeMap<String, u64>) -> u64 {
    counts.values().sum()
}

/// Converts a count, exactly up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "counts and nanoseconds of a run are below 2^53")]
fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report(uptime: f64, requests: u64, errors: u64, millis: u64) -> StatsReport {
        let handlers = json!([
            {"kind": "action", "name": "get", "num_requests": requests, "num_errors": errors,
             "processing_time": millis * 1_000_000, "p99_processing_time": 3_000_000},
            {"kind": "background", "name": "report", "num_requests": requests, "processing_time": 1},
        ]);
        let report = json!({"started": "s", "uptime_seconds": uptime, "handlers": handlers, "refused": {"overloaded": errors}});
        serde_json::from_value(report).unwrap()
    }

    #[test]
    fn rates_are_differences_by_the_clock_of_the_instance() {
        let rates = Rates::between(&report(10.0, 100, 1, 400), &report(12.0, 300, 5, 800)).unwrap();
        let expected = Rates {
            requests_per_second: 100.0,
            errors_per_second: 2.0,
            refused_per_second: 2.0,
            mean_seconds: Some(0.002),
            p99_seconds: Some(0.003),
        };
        assert_eq!(rates, expected);
    }

    #[test]
    fn an_idle_instance_has_no_latency() {
        let rates = Rates::between(&report(10.0, 100, 1, 400), &report(11.0, 100, 1, 400)).unwrap();
        assert_eq!(rates, Rates::default());
    }

    #[test]
    fn a_restarted_instance_has_no_rates() {
        let restarted = StatsReport { started: "later".into(), ..report(30.0, 1, 0, 1) };
        assert_eq!(Rates::between(&report(10.0, 100, 1, 400), &restarted), None);
        assert_eq!(Rates::between(&report(10.0, 100, 1, 400), &report(10.0, 100, 1, 400)), None);
    }

    #[test]
    fn a_sum_weights_the_mean_by_the_requests() {
        let of = |rate, mean| Rates { requests_per_second: rate, mean_seconds: mean, ..Rates::default() };
        let mut sum = of(30.0, Some(0.01));
        sum.add(&of(10.0, Some(0.05)));
        assert_eq!((sum.requests_per_second, sum.mean_seconds), (40.0, Some(0.02)));
        sum.add(&of(0.0, None));
        assert_eq!(sum.mean_seconds, Some(0.02));
    }
}
