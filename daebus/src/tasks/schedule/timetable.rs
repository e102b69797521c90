//! The validated times of a schedule.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::cron::Cron;

/// The validated times of a schedule.
#[derive(Debug, Clone)]
pub(crate) enum Timetable {
    /// At an interval, by the monotonic clock.
    Every(Duration),
    /// Once, at this time of the wall clock.
    At(Timestamp),
    /// At the times of the wall clock that match an expression.
    Cron(Cron),
}

impl Timetable {
    /// Returns the first time after `after` by the wall clock, or `None` for an interval and if there is none.
    pub(super) fn next(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Self::Every(_) => None,
            Self::At(time) => Some(*time).filter(|time| *time > after),
            Self::Cron(cron) => cron.next(after, zone),
        }
    }
}
