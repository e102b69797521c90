//! When a schedule runs, checked.

use std::time::Duration;

use super::cron::Cron;

/// When a schedule runs, checked.
#[derive(Debug, Clone)]
pub(crate) enum Timetable {
    /// At an interval, by the monotonic clock.
    Every(Duration),
    /// When the clock on the wall says so.
    Cron(Cron),
}
