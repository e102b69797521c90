//! `$ping`, `$info` and `$stats`, and the metrics over HTTP.

mod counters;
mod info;
mod prometheus;
