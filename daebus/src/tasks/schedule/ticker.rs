//! When the next run is due, and waiting for it.

use std::time::{Duration, SystemTime};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::timetable::Timetable;
use crate::runtime::Clock;

/// How long a cron schedule sleeps at most before it looks at the clock again, which may have been set meanwhile, or
/// have gone on while the machine was asleep.
const LOOK: Duration = Duration::from_secs(30);

/// A clock that is set back by no more than this repeats nothing; by more, the new time counts. As cron has it.
const SET_BACK: SignedDuration = SignedDuration::from_hours(3);

/// When the next run is due, and waiting for it.
#[derive(Debug)]
pub(super) struct Ticker {
    clock: Clock,
    zone: TimeZone,
    timetable: Timetable,
    next: NextRun,
}

#[derive(Debug)]
enum NextRun {
    Interval(Instant),
    Cron {
        /// `None`: never again.
        due: Option<Timestamp>,
        /// Up to when everything that was due has been run or left out.
        done: Timestamp,
        /// The clock when it was last looked at.
        seen: Timestamp,
    },
}

impl Ticker {
    pub(super) fn new(timetable: Timetable, clock: Clock) -> Self {
        let zone = clock.zone();
        let next = match &timetable {
            Timetable::Every(interval) => NextRun::Interval(Instant::now() + *interval),
            Timetable::Cron(cron) => {
                let now = clock.now();
                NextRun::Cron { due: cron.next(now, &zone), done: now, seen: now }
            }
        };
        Self { clock, zone, timetable, next }
    }

    /// From now on at this interval.
    pub(super) fn set_interval(&mut self, interval: Duration) {
        self.timetable = Timetable::Every(interval);
        self.next = NextRun::Interval(Instant::now() + interval);
    }

    /// When the next run is due.
    pub(super) fn next(&self) -> Option<SystemTime> {
        match &self.next {
            NextRun::Interval(at) => Some(self.clock.at(*at)),
            NextRun::Cron { due, .. } => due.map(SystemTime::from),
        }
    }

    /// Waits until a run is due. What was missed meanwhile counts as this one run. Given up halfway, nothing is lost.
    pub(super) async fn tick(&mut self) {
        if let NextRun::Interval(at) = &self.next {
            tokio::time::sleep_until(*at).await;
            self.step();
            return;
        }
        while let Some(rest) = self.look() {
            tokio::time::sleep(rest).await;
        }
    }

    /// The next in step that lies ahead.
    fn step(&mut self) {
        if let (Timetable::Every(interval), NextRun::Interval(at)) = (&self.timetable, &mut self.next) {
            *at += *interval;
            let late = Instant::now().saturating_duration_since(*at);
            let missed = late.as_nanos() / interval.as_nanos().max(1);
            if !late.is_zero() {
                let missed = u32::try_from(missed).unwrap_or(u32::MAX).saturating_add(1);
                *at += interval.saturating_mul(missed);
            }
        }
    }

    /// Looks at the clock on the wall: `None` when a run is due, else for how long to sleep.
    fn look(&mut self) -> Option<Duration> {
        let (Timetable::Cron(cron), NextRun::Cron { due, done, seen }) = (&self.timetable, &mut self.next)
        else {
            return None;
        };
        let now = self.clock.now();
        if now < *seen {
            if done.duration_since(now) > SET_BACK {
                *done = now;
            }
            *due = cron.next(now.max(*done), &self.zone);
        }
        *seen = now;
        let Some(at) = *due else { return Some(LOOK) };
        let rest = at.duration_since(now);
        if rest.is_positive() {
            return Some(rest.unsigned_abs().min(LOOK));
        }
        *done = now;
        *due = cron.next(now, &self.zone);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::Schedule;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// A ticker for six o'clock UTC every day, made when the clock shows `now`, and then shown other times.
    fn six_o_clock(now: &str) -> Ticker {
        let timetable = Schedule::cron("0 6 * * *").tz("UTC").timetable().unwrap();
        let mut ticker = Ticker::new(timetable, Clock::default());
        show(&mut ticker, now);
        if let (Timetable::Cron(cron), NextRun::Cron { due, done, seen }) =
            (&ticker.timetable, &mut ticker.next)
        {
            (*due, *done, *seen) = (cron.next(at(now), &TimeZone::UTC), at(now), at(now));
        }
        ticker
    }

    fn show(ticker: &mut Ticker, now: &str) {
        ticker.clock = Clock::following_tokio(at(now));
    }

    /// Whether a run is due when the clock shows each of these.
    fn dues(start: &str, shown: &[&str]) -> Vec<bool> {
        let mut ticker = six_o_clock(start);
        let due = |now: &&str| {
            show(&mut ticker, now);
            ticker.look().is_none()
        };
        shown.iter().map(due).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_jumps_ahead_makes_one_run() {
        let due = dues("2026-01-01T00:00:00Z", &["2026-03-01T09:00:00Z", "2026-03-01T09:00:01Z"]);
        assert_eq!(due, [true, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_set_back_a_little_repeats_nothing() {
        let shown =
            ["2026-01-01T06:00:00Z", "2026-01-01T05:30:00Z", "2026-01-01T06:00:00Z", "2026-01-02T06:00:00Z"];
        assert_eq!(dues("2026-01-01T05:00:00Z", &shown), [true, false, false, true]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_was_far_ahead_is_believed_once_it_is_right() {
        let shown = ["2036-01-01T06:00:00Z", "2026-01-01T05:30:00Z", "2026-01-01T06:00:00Z"];
        assert_eq!(dues("2026-01-01T05:00:00Z", &shown), [true, false, true]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_interval_keeps_in_step_and_leaves_out_what_was_missed() {
        let start = Instant::now();
        let every = Duration::from_secs(10);
        let mut ticker = Ticker::new(Timetable::Every(every), Clock::default());
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
