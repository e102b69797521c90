//! When a schedule runs, checked.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::cron::Cron;

/// When a schedule runs, checked.
#[derive(Debug, Clone)]
pub(crate) enum Timetable {
    /// At an interval, by the monotonic clock.
    Every(Duration),
    /// Once, at this time of the wall clock.
    At(Timestamp),
    /// When the clock on the wall says so.
    Cron(Cron),
}

impl Timetable {
    /// The first time after `after` by the wall clock; `None` for an interval, and if there is none.
    pub(super) fn next(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Self::Every(_) => None,
            Self::At(time) => Some(*time).filter(|time| *time > after),
            Self::Cron(cron) => cron.next(after, zone),
        }
    }
}
