//! Prometheus's text format, version 0.0.4.
//!
//! The Prometheus crates keep metrics in a registry of their own, or write `OpenMetrics`, which not every agent reads. The
//! counters of this crate exist already, and the format needs only a few lines.

use std::fmt::{self, Display, Write as _};
use std::time::Duration;

use super::histogram::HistogramSnapshot;

/// The limits of the exposed buckets: the defaults of Prometheus clients, and some for fast handlers.
const LIMITS: [Duration; 15] = [
    Duration::from_micros(100),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_micros(2_500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_millis(2_500),
    Duration::from_secs(5),
    Duration::from_secs(10),
];

/// The names and the values of a sample's labels.
pub(crate) type Labels<'a> = [(&'static str, &'a str)];

/// The type of a metric.
#[derive(Debug, Clone, Copy)]
pub(crate) enum MetricType {
    Counter,
    Gauge,
    Histogram,
}

impl Display for MetricType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        })
    }
}

/// A text to which metrics are written, one family after the other.
#[derive(Debug, Default)]
pub(crate) struct Exposition(String);

impl Exposition {
    /// The media type of the text.
    pub(crate) const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

    /// Begins a metric. Its samples follow.
    pub(crate) fn family(&mut self, name: &'static str, of: MetricType, help: &'static str) -> Family<'_> {
        // Writing to a string doesn't fail.
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {of}\n");
        Family { text: &mut self.0, name }
    }

    pub(crate) fn finish(self) -> String {
        self.0
    }
}

/// The samples of one metric.
#[derive(Debug)]
pub(crate) struct Family<'a> {
    text: &'a mut String,
    name: &'static str,
}

impl Family<'_> {
    /// Writes a sample.
    pub(crate) fn sample(&mut self, labels: &Labels<'_>, value: impl Display) {
        self.write("", labels, None, value);
    }

    /// Writes the buckets, the sum and the count of a histogram, in seconds.
    pub(crate) fn histogram(&mut self, labels: &Labels<'_>, durations: &HistogramSnapshot) {
        for (limit, count) in LIMITS.iter().zip(durations.up_to(&LIMITS)) {
            self.write("_bucket", labels, Some(&limit.as_secs_f64().to_string()), count);
        }
        let count = durations.count();
        self.write("_bucket", labels, Some("+Inf"), count);
        self.write("_sum", labels, None, durations.sum().as_secs_f64());
        self.write("_count", labels, None, count);
    }

    fn write(&mut self, suffix: &str, labels: &Labels<'_>, limit: Option<&str>, value: impl Display) {
        self.text.push_str(self.name);
        self.text.push_str(suffix);
        let mut separator = '{';
        for (name, value) in labels.iter().copied().chain(limit.map(|limit| ("le", limit))) {
            self.text.push(separator);
            self.text.push_str(name);
            self.text.push_str("=\"");
            for character in value.chars() {
                match character {
                    '\\' => self.text.push_str("\\\\"),
                    '"' => self.text.push_str("\\\""),
                    '\n' => self.text.push_str("\\n"),
                    other => self.text.push(other),
                }
            }
            self.text.push('"');
            separator = ',';
        }
        if separator == ',' {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::histogram::Histogram;

    #[test]
    fn samples_are_written_with_their_labels() {
        let mut text = Exposition::default();
        let mut family = text.family("things_total", MetricType::Counter, "Things.");
        family.sample(&[], 1);
        family.sample(&[("a", "plain"), ("b", "\"x\\y\"\nz")], 0.25);
        assert_eq!(
            text.finish(),
            "# HELP things_total Things.\n# TYPE things_total counter\nthings_total 1\n\
             things_total{a=\"plain\",b=\"\\\"x\\\\y\\\"\\nz\"} 0.25\n"
        );
    }

    #[test]
    fn the_buckets_of_a_histogram_are_cumulative() {
        let histogram = Histogram::default();
        for millis in [1, 3, 30_000] {
            histogram.record(Duration::from_millis(millis));
        }
        let mut text = Exposition::default();
        text.family("t_seconds", MetricType::Histogram, "T.").histogram(&[("h", "x")], &histogram.snapshot());
        let text = text.finish();
        for line in [
            "t_seconds_bucket{h=\"x\",le=\"0.0005\"} 0",
            "t_seconds_bucket{h=\"x\",le=\"0.001\"} 1",
            "t_seconds_bucket{h=\"x\",le=\"0.005\"} 2",
            "t_seconds_bucket{h=\"x\",le=\"10\"} 2",
            "t_seconds_bucket{h=\"x\",le=\"+Inf\"} 3",
            "t_seconds_sum{h=\"x\"} 30.004",
            "t_seconds_count{h=\"x\"} 3",
        ] {
            assert!(text.lines().any(|written| written == line), "{line} is missing in\n{text}");
        }
    }
}
