//! Schedules: when a background handler runs, and the task that runs it.

mod control;
mod cron;
mod info;
mod schedules;
mod serve;
mod ticker;
mod timetable;

use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

pub use info::ScheduleInfo;
pub(crate) use schedules::Schedules;
pub(crate) use timetable::Timetable;

use crate::error::Mistake;
use crate::handler::Endpoint;
use cron::Cron;

/// When a background handler runs.
///
/// ```
/// use daebus::{Overlap, Schedule};
/// use std::time::Duration;
///
/// let hourly = Schedule::every(Duration::from_secs(3600));
/// let report = Schedule::cron("0 6 * * *")
///     .tz("Europe/Amsterdam")
///     .jitter(Duration::from_secs(30));
/// let polling =
///     Schedule::every(Duration::from_secs(5)).immediate().overlap(Overlap::Queue);
/// # let _ = (hourly, report, polling);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a schedule does nothing by itself"]
pub struct Schedule {
    when: When,
    jitter: Duration,
    overlap: Overlap,
    immediate: bool,
    singleton: bool,
    until: Option<SystemTime>,
    misfire: Misfire,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum When {
    Every(Duration),
    At(SystemTime),
    Cron { expression: Cow<'static, str>, zone: Option<Cow<'static, str>> },
}

/// What happens if a run is due while the previous run is in progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overlap {
    /// The run is skipped.
    #[default]
    Skip,
    /// The run waits for the previous one to end. At most one run waits; further ones are skipped.
    Queue,
    /// Both run concurrently.
    Allow,
}

/// What happens to missed runs: those that were due while the process was stopped or suspended, or while the clock was set
/// ahead.
///
/// A run by the wall clock counts as missed if it is more than a minute late, a run of an interval if the next one is due
/// already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Misfire {
    /// One run takes place immediately, regardless of how many were missed.
    #[default]
    Once,
    /// Missed runs are skipped.
    Skip,
}

impl Schedule {
    /// Creates a schedule that runs at this interval, the first time one interval after the service is ready.
    ///
    /// The duration of a run doesn't shift the following ones. Missed runs are subject to [`misfire`](Self::misfire).
    pub const fn every(interval: Duration) -> Self {
        Self::new(When::Every(interval))
    }

    /// Creates a schedule that runs by a cron expression: five fields as in crontab(5), beginning with the minute, six fields
    /// beginning with the second, or a nickname such as `@daily`. Uses the time zone of the machine unless [`tz`](Self::tz)
    /// sets one.
    ///
    /// If the clock changes, to daylight saving time for example: with a fixed hour, or a list or range of hours, a time that
    /// the clock skips runs at the end of the gap, and a time that the clock repeats runs at its first occurrence. With `*` or
    /// a step as the hour, the runs follow the clock.
    ///
    /// The expression is a `&'static str`, or a `String` that is parsed at run time:
    ///
    /// ```
    /// use daebus::prelude::*;
    /// use daebus::{Schedule, TaskError};
    ///
    /// #[action("report_at")]
    /// async fn report_at(
    ///     Payload((hour, zone)): Payload<(u8, String)>,
    ///     tasks: Tasks,
    /// ) -> Result<(), TaskError> {
    ///     let schedule = Schedule::cron(format!("0 {hour} * * *")).tz(zone);
    ///     tasks.schedule("report", schedule, async || println!("reported"))
    /// }
    /// ```
    pub fn cron(expression: impl Into<Cow<'static, str>>) -> Self {
        Self::new(When::Cron { expression: expression.into(), zone: None })
    }

    /// Creates a schedule that runs once, at a time of the wall clock. A time in the past is a missed run; see
    /// [`misfire`](Self::misfire).
    pub const fn at(time: SystemTime) -> Self {
        Self::new(When::At(time))
    }

    const fn new(when: When) -> Self {
        Self {
            when,
            jitter: Duration::ZERO,
            overlap: Overlap::Skip,
            immediate: false,
            until: None,
            misfire: Misfire::Once,
            singleton: false,
        }
    }

    /// Sets the end of the schedule: no run is due after this time. Defaults to no end.
    pub const fn until(mut self, end: SystemTime) -> Self {
        self.until = Some(end);
        self
    }

    /// Sets what happens to missed runs. Defaults to [`Misfire::Once`].
    pub const fn misfire(mut self, misfire: Misfire) -> Self {
        self.misfire = misfire;
        self
    }

    /// Sets the time zone of a cron expression, by its IANA name: `Europe/Amsterdam`, `UTC`. Has no effect on other schedules.
    pub fn tz(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        if let When::Cron { zone, .. } = &mut self.when {
            *zone = Some(name.into());
        }
        self
    }

    /// Sets the maximum of the random delay of each run, so that many processes don't run at the same moment. Must be less than
    /// the shortest time between two runs. Defaults to zero.
    pub const fn jitter(mut self, most: Duration) -> Self {
        self.jitter = most;
        self
    }

    /// Sets what happens if a run is due while the previous run is in progress. Defaults to [`Overlap::Skip`].
    pub const fn overlap(mut self, overlap: Overlap) -> Self {
        self.overlap = overlap;
        self
    }

    /// Adds a run as soon as the service is ready.
    pub const fn immediate(mut self) -> Self {
        self.immediate = true;
        self
    }

    /// Runs the handler on only one instance of the service: the instance that holds the lease of this schedule's name. If that
    /// instance stops or is killed, another one takes over within 20 s.
    pub const fn singleton(mut self) -> Self {
        self.singleton = true;
        self
    }

    pub(crate) fn is_singleton(&self) -> bool {
        self.singleton
    }

    pub(crate) fn overlap_rule(&self) -> Overlap {
        self.overlap
    }

    pub(crate) fn most_jitter(&self) -> Duration {
        self.jitter
    }

    pub(crate) fn end(&self) -> Option<SystemTime> {
        self.until
    }

    pub(crate) fn misfire_rule(&self) -> Misfire {
        self.misfire
    }

    pub(crate) fn is_immediate(&self) -> bool {
        self.immediate
    }

    /// Validates the schedule, as far as the attribute could not.
    pub(crate) fn timetable(&self) -> Result<Timetable, Mistake> {
        match &self.when {
            &When::Every(interval) => {
                check_interval(interval, self.jitter)?;
                Ok(Timetable::Every(interval))
            }
            When::At(time) => Timestamp::try_from(*time)
                .map(Timetable::At)
                .map_err(|error| Mistake::new(format!("the time of the run is out of range: {error}"))),
            When::Cron { expression, zone } => {
                let cron = Cron::parse(expression, zone.as_deref())?;
                if !self.jitter.is_zero() {
                    cron.shortest_period().map_or(Ok(()), |period| check_jitter(self.jitter, period))?;
                }
                Ok(Timetable::Cron(cron))
            }
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.when {
            When::Every(interval) => write!(f, "every {interval:?}"),
            When::At(time) => write!(f, "at {}", shown(*time)),
            When::Cron { expression, zone: None } => write!(f, "cron {expression:?}"),
            When::Cron { expression, zone: Some(zone) } => write!(f, "cron {expression:?} in {zone}"),
        }?;
        self.until.map_or(Ok(()), |end| write!(f, " until {}", shown(end)))
    }
}

/// RFC 3339, in UTC.
fn shown(time: SystemTime) -> String {
    Timestamp::try_from(time).map_or_else(|_| "a time out of range".to_owned(), |time| time.to_string())
}

fn check_jitter(jitter: Duration, period: Duration) -> Result<(), Mistake> {
    if jitter < period {
        return Ok(());
    }
    Err(Mistake::new(format!(
        "a jitter of {jitter:?} would delay a run past the next one; make it less than {period:?}, the shortest time between \
         two runs"
    )))
}

/// Below tokio's resolution of 1 ms, a schedule would be a busy loop; far above ten years, its clock overflows.
pub(crate) fn check_interval(interval: Duration, jitter: Duration) -> Result<(), Mistake> {
    const LEAST: Duration = Duration::from_millis(1);
    const MOST: Duration = Duration::from_secs(10 * 365 * 86_400);
    if (LEAST..=MOST).contains(&interval) {
        check_jitter(jitter, interval)
    } else {
        Err(Mistake::new(format!("invalid interval {interval:?}; it must be between 1 ms and ten years")))
    }
}

/// A handler and its schedule.
#[derive(Debug, Clone)]
pub(crate) struct Scheduled {
    pub(crate) schedule: Schedule,
    pub(crate) timetable: Timetable,
    pub(crate) endpoint: Endpoint,
}
