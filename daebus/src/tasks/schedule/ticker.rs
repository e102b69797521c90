//! Computes when the next run is due, and waits for it.

use std::time::{Duration, SystemTime};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::timetable::Timetable;
use super::{Misfire, Schedule};
use crate::runtime::Clock;

/// The maximum time between two checks of the wall clock, which may be set, or advance while the machine is suspended.
const LOOK: Duration = Duration::from_secs(30);

/// A run by the wall clock that is later than this counts as missed.
const LATE: Duration = Duration::from_secs(60);

/// If the clock is set back by up to this, no run is repeated. If it is set back by more, the new time counts, as in cron.
const SET_BACK: SignedDuration = SignedDuration::from_hours(3);

/// The time of the next run of a schedule.
#[derive(Debug)]
pub(super) struct Ticker {
    clock: Clock,
    zone: TimeZone,
    timetable: Timetable,
    end: Option<Timestamp>,
    misfire: Misfire,
    next: NextRun,
}

#[derive(Debug)]
enum NextRun {
    /// The end of the schedule is reached, or its single run has taken place.
    Never,
    Interval(Instant),
    Wall {
        /// `None` if no further run is due.
        due: Option<Timestamp>,
        /// All runs that were due up to this time have been started or skipped.
        done: Timestamp,
        /// The time at the last check of the clock.
        seen: Timestamp,
    },
}

impl Ticker {
    pub(super) fn new(timetable: Timetable, schedule: &Schedule, clock: Clock) -> Self {
        let zone = clock.zone();
        let now = clock.now();
        let next = match &timetable {
            Timetable::Every(interval) => NextRun::Interval(Instant::now() + *interval),
            // Also if the time has passed.
            Timetable::At(time) => NextRun::Wall { due: Some(*time), done: now, seen: now },
            Timetable::Cron(_) => NextRun::Wall { due: timetable.next(now, &zone), done: now, seen: now },
        };
        let end = schedule.end().and_then(|end| Timestamp::try_from(end).ok());
        let mut ticker = Self { clock, zone, timetable, end, misfire: schedule.misfire_rule(), next };
        ticker.end_if_over();
        ticker
    }

    /// Returns whether no further run is due.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.next, NextRun::Never)
    }

    /// Ends the schedule if its next run is after its end.
    fn end_if_over(&mut self) {
        let Some(end) = self.end else { return };
        let is_over = match &self.next {
            NextRun::Never => true,
            NextRun::Interval(at) => self.clock.at(*at) > SystemTime::from(end),
            NextRun::Wall { due, .. } => due.is_none_or(|due| due > end),
        };
        if is_over {
            self.next = NextRun::Never;
        }
    }

    /// Changes the interval. The next run is due one interval from now.
    pub(super) fn set_interval(&mut self, interval: Duration) {
        self.timetable = Timetable::Every(interval);
        self.next = NextRun::Interval(Instant::now() + interval);
        self.end_if_over();
    }

    /// Returns when the next run is due.
    pub(super) fn next(&self) -> Option<SystemTime> {
        match &self.next {
            NextRun::Interval(at) => Some(self.clock.at(*at)),
            NextRun::Wall { due, .. } => due.map(SystemTime::from),
            NextRun::Never => None,
        }
    }

    /// Waits until a run is due. Missed runs are merged into one. Cancel safe: no run is lost if the future is dropped.
    pub(super) async fn tick(&mut self) {
        while let NextRun::Interval(at) = &self.next {
            tokio::time::sleep_until(*at).await;
            let has_missed = self.step();
            self.end_if_over();
            if !has_missed || self.misfire == Misfire::Once {
                return;
            }
        }
        while let Some(rest) = self.look() {
            tokio::time::sleep(rest).await;
        }
    }

    /// Advances to the next multiple of the interval that lies ahead. Returns whether a run before it was missed.
    fn step(&mut self) -> bool {
        if let (Timetable::Every(interval), NextRun::Interval(at)) = (&self.timetable, &mut self.next) {
            *at += *interval;
            let late = Instant::now().saturating_duration_since(*at);
            let missed = late.as_nanos() / interval.as_nanos().max(1);
            if !late.is_zero() {
                let missed = u32::try_from(missed).unwrap_or(u32::MAX).saturating_add(1);
                *at += interval.saturating_mul(missed);
                return true;
            }
        }
        false
    }

    /// Checks the wall clock. Returns `None` if a run is due, and otherwise how long to sleep until the next check.
    fn look(&mut self) -> Option<Duration> {
        let NextRun::Wall { due, done, seen } = &mut self.next else { return Some(LOOK) };
        let now = self.clock.now();
        if now < *seen {
            if done.duration_since(now) > SET_BACK {
                *done = now;
            }
            *due = self.timetable.next(now.max(*done), &self.zone);
        }
        *seen = now;
        let Some(at) = *due else { return Some(LOOK) };
        let rest = at.duration_since(now);
        if rest.is_positive() {
            return Some(rest.unsigned_abs().min(LOOK));
        }
        let is_missed = rest.unsigned_abs() > LATE;
        *done = now;
        *due = self.timetable.next(now, &self.zone);
        if matches!(self.timetable, Timetable::At(_)) {
            self.next = NextRun::Never;
        }
        self.end_if_over();
        (is_missed && self.misfire == Misfire::Skip).then_some(Duration::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::Schedule;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Returns a ticker for six o'clock UTC every day, created when the clock shows `now`.
    fn six_o_clock(now: &str) -> Ticker {
        ticker(&Schedule::cron("0 6 * * *").tz("UTC"), now)
    }

    fn ticker(schedule: &Schedule, now: &str) -> Ticker {
        Ticker::new(schedule.timetable().unwrap(), schedule, Clock::following_tokio(at(now)))
    }

    fn show(ticker: &mut Ticker, now: &str) {
        ticker.clock = Clock::following_tokio(at(now));
    }

    /// Returns for each time of `shown` whether a run is due when the clock shows it.
    fn dues(start: &str, shown: &[&str]) -> Vec<bool> {
        let mut ticker = six_o_clock(start);
        let due = |now: &&str| {
            show(&mut ticker, now);
            ticker.look().is_none()
        };
        shown.iter().map(due).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_jumps_ahead_causes_one_run() {
        let due = dues("2026-01-01T00:00:00Z", &["2026-03-01T09:00:00Z", "2026-03-01T09:00:01Z"]);
        assert_eq!(due, [true, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_set_back_by_half_an_hour_repeats_no_run() {
        let shown =
            ["2026-01-01T06:00:00Z", "2026-01-01T05:30:00Z", "2026-01-01T06:00:00Z", "2026-01-02T06:00:00Z"];
        assert_eq!(dues("2026-01-01T05:00:00Z", &shown), [true, false, false, true]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_set_back_by_years_restarts_the_schedule_at_the_new_time() {
        let shown = ["2036-01-01T06:00:00Z", "2026-01-01T05:30:00Z", "2026-01-01T06:00:00Z"];
        assert_eq!(dues("2026-01-01T05:00:00Z", &shown), [true, false, true]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_clock_is_read_again_long_before_the_run() {
        let mut ticker = six_o_clock("2026-01-01T00:00:00Z");
        assert_eq!(ticker.look(), Some(LOOK), "the clock may be set meanwhile");
        show(&mut ticker, "2026-01-01T05:59:50Z");
        assert_eq!(ticker.look(), Some(Duration::from_secs(10)));
    }

    #[tokio::test(start_paused = true)]
    async fn misfire_skip_skips_a_missed_run_of_a_cron_schedule() {
        let schedule = Schedule::cron("0 6 * * *").tz("UTC").misfire(Misfire::Skip);
        let mut ticker = ticker(&schedule, "2026-01-01T00:00:00Z");
        show(&mut ticker, "2026-03-01T09:00:00Z");
        assert_eq!(ticker.look(), Some(Duration::ZERO));
        show(&mut ticker, "2026-03-02T06:00:30Z");
        assert_eq!(ticker.look(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_single_run_takes_place_once_even_if_its_time_has_passed() {
        let time = SystemTime::from(at("2026-01-01T06:00:00Z"));
        let mut late = ticker(&Schedule::at(time), "2026-01-01T09:00:00Z");
        assert_eq!((late.look(), late.is_over()), (None, true));
        let mut skipped = ticker(&Schedule::at(time).misfire(Misfire::Skip), "2026-01-01T09:00:00Z");
        assert_eq!((skipped.look(), skipped.is_over()), (Some(Duration::ZERO), true));
        // A clock that is set back by hours doesn't repeat the run.
        show(&mut late, "2026-01-01T01:00:00Z");
        assert_eq!(late.look(), Some(LOOK));
        let over = ticker(&Schedule::at(time).until(time - Duration::from_secs(1)), "2026-01-01T00:00:00Z");
        assert!(over.is_over());
    }

    #[tokio::test(start_paused = true)]
    async fn misfire_skip_skips_the_late_run_of_an_interval() {
        let start = Instant::now();
        let schedule = Schedule::every(Duration::from_secs(10)).misfire(Misfire::Skip);
        let mut ticker = ticker(&schedule, "2026-01-01T00:00:00Z");
        tokio::time::advance(Duration::from_secs(37)).await;
        ticker.tick().await;
        assert_eq!(start.elapsed().as_secs(), 40);
    }

    #[tokio::test(start_paused = true)]
    async fn no_run_is_due_after_the_end() {
        let end = SystemTime::from(at("2026-01-01T00:00:25Z"));
        let mut ticker = ticker(&Schedule::every(Duration::from_secs(10)).until(end), "2026-01-01T00:00:00Z");
        ticker.tick().await;
        assert!(!ticker.is_over());
        ticker.tick().await;
        assert!(ticker.is_over());
        assert_eq!(ticker.next(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn an_interval_keeps_its_phase_and_merges_missed_runs() {
        let start = Instant::now();
        let every = Duration::from_secs(10);
        let mut ticker = Ticker::new(Timetable::Every(every), &Schedule::every(every), Clock::default());
        ticker.tick().await;
        assert_eq!(start.elapsed().as_secs(), 10);
        tokio::time::advance(Duration::from_secs(37)).await;
        ticker.tick().await;
        assert_eq!(start.elapsed().as_secs(), 47);
        ticker.tick().await;
        assert_eq!(start.elapsed().as_secs(), 50);
        ticker.tick().await;
        assert_eq!(start.elapsed().as_secs(), 60);
    }
}
