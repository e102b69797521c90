use std::fmt;

use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::error::Mistake;

/// A cron expression and its time zone.
#[derive(Clone)]
pub(crate) struct Cron {
    pattern: Box<croner::Cron>,
    /// `None`: the machine's.
    zone: Option<TimeZone>,
}

/// The fields from the last one on, since the first of six may be missing.
const FIELDS: [&str; 6] = ["day of week", "month", "day of month", "hour", "minute", "second"];

impl Cron {
    /// Reads an expression, and makes sure that the time it names ever comes.
    pub(super) fn parse(expression: &str, zone: Option<&str>) -> Result<Self, Mistake> {
        let pattern = parse(expression).map_err(|reason| {
            let reason = blame(expression, &reason);
            Mistake::new(format!("the cron expression {expression:?} can't be read: {reason}"))
        })?;
        let zone = zone.map(named_zone).transpose()?;
        let cron = Self { pattern: Box::new(pattern), zone };
        if cron.next(Timestamp::UNIX_EPOCH, &TimeZone::UTC).is_none() {
            return Err(Mistake::new(format!(
                "the cron expression {expression:?} names a time that never comes"
            )));
        }
        Ok(cron)
    }

    /// The first time after `after`. `local` is the zone where none was named. `None`: it never comes again.
    pub(crate) fn next(&self, after: Timestamp, local: &TimeZone) -> Option<Timestamp> {
        let zone = self.zone.as_ref().unwrap_or(local).clone();
        let next = self.pattern.find_next_occurrence(&after.to_zoned(zone), false).ok()?;
        Some(next.timestamp())
    }
}

impl fmt::Debug for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cron").field("pattern", &self.pattern.as_str()).field("zone", &self.zone).finish()
    }
}

/// An error is croner's own message.
fn parse(expression: &str) -> Result<croner::Cron, CronError> {
    let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
    parser.parse(expression)
}

/// Names the field at fault: the one that can't be read with every other field a `*`.
fn blame(expression: &str, reason: &CronError) -> String {
    let fields: Vec<&str> = expression.split_whitespace().collect();
    if !matches!(fields.len(), 5 | 6) {
        let count = fields.len();
        return format!("it has {count} fields; write five, minute first, or six with seconds in front");
    }
    let faults = fields.iter().rev().zip(FIELDS).enumerate().filter_map(|(at, (field, name))| {
        let alone = (0..fields.len()).rev().map(|other| if other == at { field } else { "*" });
        let reason = parse(&alone.collect::<Vec<_>>().join(" ")).err()?;
        Some(format!("{name} {field:?}: {}", in_our_words(&reason)))
    });
    let faults: Vec<String> = faults.collect();
    if faults.is_empty() { in_our_words(reason) } else { faults.join("; ") }
}

/// croner's sentences begin with the kind of error and end with a full stop.
fn in_our_words(error: &CronError) -> String {
    let reason = error.to_string();
    let reason = reason.split_once("error: ").map_or(reason.as_str(), |(_, rest)| rest);
    reason.trim_end_matches('.').to_owned()
}

fn named_zone(name: &str) -> Result<TimeZone, Mistake> {
    TimeZone::get(name).map_err(|_| {
        Mistake::new(format!(
            "there is no time zone {name:?}; write its IANA name, such as \"Europe/Amsterdam\" or \"UTC\""
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
    fn a_time_that_the_clock_jumps_over_runs_right_after_the_jump() {
        assert_eq!(
            times("30 2 * * *", "Europe/Amsterdam", "2026-03-28T12:00:00Z", 2),
            ["03-29 03:00:00 +02:00", "03-30 02:30:00 +02:00"]
        );
    }

    #[test]
    fn a_time_that_comes_twice_runs_the_first_time() {
        assert_eq!(
            times("30 2 * * *", "Europe/Amsterdam", "2026-10-24T12:00:00Z", 2),
            ["10-25 02:30:00 +02:00", "10-26 02:30:00 +01:00"]
        );
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
    fn a_mistake_is_told_with_its_field() {
        for (expression, words) in [
            ("0 25 * * *", "hour \"25\""),
            ("61 * * * *", "minute \"61\""),
            ("* * * 13 funday", "month \"13\""),
            ("* * *", "3 fields"),
            ("", "0 fields"),
            ("0 0 30 2 *", "never comes"),
        ] {
            let mistake = Cron::parse(expression, None).unwrap_err();
            assert!(mistake.message().contains(words), "{expression:?}: {mistake}");
        }
        let mistake = Cron::parse("* * * * *", Some("Europe/Amsterdm")).unwrap_err();
        assert!(mistake.message().contains("Europe/Amsterdm"), "{mistake}");
    }
}
