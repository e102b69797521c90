use std::fmt;
use std::time::Duration;

use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

use crate::error::Mistake;

/// A cron expression and its time zone.
#[derive(Clone)]
pub(crate) struct Cron {
    pattern: Box<croner::Cron>,
    /// Whether the hour is fixed, so that each time runs once a day even if the clock skips or repeats it.
    has_fixed_hour: bool,
    /// `None` for the time zone of the machine.
    zone: Option<TimeZone>,
}

/// The fields in reverse order, since the first of six may be missing.
const FIELDS: [&str; 6] = ["day of week", "month", "day of month", "hour", "minute", "second"];

impl Cron {
    /// Parses an expression. Returns an error if no time matches it.
    pub(super) fn parse(expression: &str, zone: Option<&str>) -> Result<Self, Mistake> {
        let pattern = parse(expression).map_err(|reason| {
            let reason = blame(expression, &reason);
            Mistake::new(format!("invalid cron expression {expression:?}: {reason}"))
        })?;
        let zone = zone.map(named_zone).transpose()?;
        let cron = Self { pattern: Box::new(pattern), has_fixed_hour: has_fixed_hour(expression), zone };
        if cron.next(Timestamp::UNIX_EPOCH, &TimeZone::UTC).is_none() {
            return Err(Mistake::new(format!("no time ever matches the cron expression {expression:?}")));
        }
        Ok(cron)
    }

    /// Returns the first matching time after `after`, or `None` if there is none. `local` is the zone of an expression that
    /// names none.
    pub(crate) fn next(&self, after: Timestamp, local: &TimeZone) -> Option<Timestamp> {
        let zone = self.zone.as_ref().unwrap_or(local);
        let start = after.to_zoned(zone.clone());
        if !self.has_fixed_hour {
            return Some(self.pattern.find_next_occurrence(&start, false).ok()?.timestamp());
        }
        // croner treats only a single time as fixed, not a list. Searching in UTC avoids its handling of clock changes.
        let mut civil = start.datetime();
        loop {
            let from = civil.to_zoned(TimeZone::UTC).ok()?;
            civil = self.pattern.find_next_occurrence(&from, false).ok()?.datetime();
            let time = instant(civil, zone)?;
            // An earlier time is found only in the second pass of an hour that the clock repeats.
            if time > after {
                return Some(time);
            }
        }
    }

    /// Returns the shortest time between two of the next 100 runs.
    pub(super) fn shortest_period(&self) -> Option<Duration> {
        const RUNS: usize = 100;
        let next = |after: &Timestamp| self.next(*after, &TimeZone::UTC);
        let times = std::iter::successors(next(&Timestamp::UNIX_EPOCH), next).take(RUNS);
        let times: Vec<Timestamp> = times.collect();
        let periods =
            times.windows(2).filter_map(|pair| Duration::try_from(pair[1].duration_since(pair[0])).ok());
        periods.min()
    }
}

/// Returns whether the hour field has no `*` or step.
fn has_fixed_hour(expression: &str) -> bool {
    let fields: Vec<&str> = expression.split_whitespace().collect();
    match fields[..] {
        [nickname] => !nickname.eq_ignore_ascii_case("@hourly"),
        [_, hour, _, _, _] | [_, _, hour, _, _, _] => !hour.contains(['*', '?', '/']),
        _ => false,
    }
}

/// Returns when the clock in `zone` shows `civil`: the end of the gap if the clock skips that time, the first occurrence if the
/// clock repeats it.
fn instant(civil: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    match zone.to_ambiguous_timestamp(civil).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(civil).ok(),
        AmbiguousOffset::Fold { before, .. } => before.to_timestamp(civil).ok(),
        AmbiguousOffset::Gap { after, .. } => {
            // With the offset after the change, a time in the gap lies before the change.
            let before_change = after.to_timestamp(civil).ok()?;
            zone.following(before_change).next().map(|change| change.timestamp())
        }
    }
}

impl fmt::Debug for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cron")
            .field("pattern", &self.pattern.as_str())
            .field("zone", &self.zone)
            .finish_non_exhaustive()
    }
}

fn parse(expression: &str) -> Result<croner::Cron, CronError> {
    let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
    parser.parse(expression)
}

/// Describes the error with the invalid field: the field that fails to parse if all other fields are `*`.
fn blame(expression: &str, reason: &CronError) -> String {
    let fields: Vec<&str> = expression.split_whitespace().collect();
    if !matches!(fields.len(), 5 | 6) {
        let count = fields.len();
        return format!(
            "it has {count} fields; write five fields beginning with the minute, or six beginning with the second"
        );
    }
    let faults = fields.iter().rev().zip(FIELDS).enumerate().filter_map(|(at, (field, name))| {
        let alone = (0..fields.len()).rev().map(|other| if other == at { field } else { "*" });
        let reason = parse(&alone.collect::<Vec<_>>().join(" ")).err()?;
        Some(format!("{name} {field:?}: {}", in_our_words(&reason)))
    });
    let faults: Vec<String> = faults.collect();
    if faults.is_empty() { in_our_words(reason) } else { faults.join("; ") }
}

/// croner's messages begin with the kind of error and end with a full stop.
fn in_our_words(error: &CronError) -> String {
    let reason = error.to_string();
    let reason = reason.split_once("error: ").map_or(reason.as_str(), |(_, rest)| rest);
    reason.trim_end_matches('.').to_owned()
}

fn named_zone(name: &str) -> Result<TimeZone, Mistake> {
    TimeZone::get(name).map_err(|_| {
        Mistake::new(format!(
            "unknown time zone {name:?}; write an IANA name such as \"Europe/Amsterdam\" or \"UTC\""
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(expression: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
        let cron = Cron::parse(expression, Some(zone)).unwrap();
        let mut after: Timestamp = after.parse().unwrap();
        let mut times = Vec::new();
        for _ in 0..count {
            after = cron.next(after, &TimeZone::UTC).unwrap();
            times.push(
                after.to_zoned(TimeZone::get(zone).unwrap()).strftime("%m-%d %H:%M:%S %:z").to_string(),
            );
        }
        times
    }

    #[test]
    fn five_fields_begin_with_the_minute_and_six_with_the_second() {
        assert_eq!(
            times("30 6 * * *", "UTC", "2026-01-01T06:29:59.999Z", 2),
            ["01-01 06:30:00 +00:00", "01-02 06:30:00 +00:00"]
        );
        assert_eq!(
            times("*/20 30 6 * * *", "UTC", "2026-01-01T06:30:00.5Z", 2),
            ["01-01 06:30:20 +00:00", "01-01 06:30:40 +00:00"]
        );
        assert_eq!(times("@daily", "UTC", "2026-01-01T00:00:00Z", 1), ["01-02 00:00:00 +00:00"]);
    }

    #[test]
    fn a_skipped_time_runs_at_the_end_of_the_gap() {
        assert_eq!(
            times("30 2 * * *", "Europe/Amsterdam", "2026-03-28T12:00:00Z", 2),
            ["03-29 03:00:00 +02:00", "03-30 02:30:00 +02:00"]
        );
    }

    #[test]
    fn a_repeated_time_runs_at_its_first_occurrence() {
        assert_eq!(
            times("30 2 * * *", "Europe/Amsterdam", "2026-10-24T12:00:00Z", 2),
            ["10-25 02:30:00 +02:00", "10-26 02:30:00 +01:00"]
        );
    }

    #[test]
    fn lists_and_ranges_are_fixed_times_too() {
        // Both times are skipped: one run, at the end of the gap.
        assert_eq!(
            times("15,45 2 * * *", "Europe/Amsterdam", "2026-03-28T12:00:00Z", 3),
            ["03-29 03:00:00 +02:00", "03-30 02:15:00 +02:00", "03-30 02:45:00 +02:00"]
        );
        assert_eq!(
            times("30 1-3 * * *", "Europe/Amsterdam", "2026-03-28T12:00:00Z", 4),
            [
                "03-29 01:30:00 +01:00",
                "03-29 03:00:00 +02:00",
                "03-29 03:30:00 +02:00",
                "03-30 01:30:00 +02:00"
            ]
        );
        // In London the clock repeats the hour from one to two.
        assert_eq!(
            times("15,45 1 * * *", "Europe/London", "2026-10-24T12:00:00Z", 3),
            ["10-25 01:15:00 +01:00", "10-25 01:45:00 +01:00", "10-26 01:15:00 +00:00"]
        );
        // A search that begins in the second hour doesn't repeat the first.
        assert_eq!(
            times("15,45 1 * * *", "Europe/London", "2026-10-25T01:20:00Z", 1),
            ["10-26 01:15:00 +00:00"]
        );
        // A step in the minutes of a fixed hour.
        assert_eq!(
            times("*/30 1 * * *", "Europe/London", "2026-10-24T12:00:00Z", 3),
            ["10-25 01:00:00 +01:00", "10-25 01:30:00 +01:00", "10-26 01:00:00 +00:00"]
        );
        // On Lord Howe Island the clock skips half an hour.
        assert_eq!(
            times("10,20 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z", 2),
            ["10-04 02:30:00 +11:00", "10-05 02:10:00 +11:00"]
        );
    }

    #[test]
    fn an_hourly_list_follows_the_clock_through_both_hours() {
        assert_eq!(
            times("15,45 * * * *", "Europe/London", "2026-10-25T00:00:00Z", 5),
            [
                "10-25 01:15:00 +01:00",
                "10-25 01:45:00 +01:00",
                "10-25 01:15:00 +00:00",
                "10-25 01:45:00 +00:00",
                "10-25 02:15:00 +00:00"
            ]
        );
        assert_eq!(
            times("@hourly", "Europe/London", "2026-10-25T00:30:00Z", 2),
            ["10-25 01:00:00 +00:00", "10-25 02:00:00 +00:00"]
        );
    }

    #[test]
    fn the_shortest_period_is_that_of_the_closest_runs() {
        for (expression, seconds) in [("0 6 * * *", 86_400), ("*/15 * * * * *", 15), ("0,10 6 * * 1", 600)] {
            let cron = Cron::parse(expression, Some("UTC")).unwrap();
            assert_eq!(cron.shortest_period(), Some(Duration::from_secs(seconds)), "{expression}");
        }
    }

    #[test]
    fn steps_follow_the_clock_through_both_hours() {
        assert_eq!(
            times("*/30 * * * *", "Europe/Amsterdam", "2026-10-24T23:45:00Z", 5),
            [
                "10-25 02:00:00 +02:00",
                "10-25 02:30:00 +02:00",
                "10-25 02:00:00 +01:00",
                "10-25 02:30:00 +01:00",
                "10-25 03:00:00 +01:00"
            ]
        );
    }

    #[test]
    fn an_error_names_the_invalid_field() {
        for (expression, words) in [
            ("0 25 * * *", "hour \"25\""),
            ("61 * * * *", "minute \"61\""),
            ("* * * 13 funday", "month \"13\""),
            ("* * *", "3 fields"),
            ("", "0 fields"),
            ("0 0 30 2 *", "no time ever matches"),
        ] {
            let mistake = Cron::parse(expression, None).unwrap_err();
            assert!(mistake.message().contains(words), "{expression:?}: {mistake}");
        }
        let mistake = Cron::parse("* * * * *", Some("Europe/Amsterdm")).unwrap_err();
        assert!(mistake.message().contains("Europe/Amsterdm"), "{mistake}");
    }
}
