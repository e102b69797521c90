//! `#[background("cleanup", 3600)]`, `#[background("report", cron = "0 6 * * *", tz = "UTC", jitter = "30s")]`.

use std::time::Duration;

use syn::LitStr;

use super::arguments::{Arguments, Seconds};
use super::duration_argument;
use crate::mistakes::Mistakes;
use crate::names;

/// A handler that runs by the clock, checked.
pub(crate) struct Background {
    pub(crate) name: LitStr,
    pub(crate) when: When,
    pub(crate) jitter: Option<Duration>,
    pub(crate) overlap: Option<Overlap>,
    pub(crate) immediate: bool,
    /// One instance of the service runs it.
    pub(crate) singleton: bool,
    pub(crate) timeout: Option<Duration>,
}

pub(crate) enum When {
    Every(Duration),
    Cron { expression: LitStr, zone: Option<LitStr> },
}

#[derive(Clone, Copy)]
pub(crate) enum Overlap {
    Skip,
    Queue,
    Allow,
}

const OVERLAPS: [(&str, Overlap); 3] =
    [("skip", Overlap::Skip), ("queue", Overlap::Queue), ("allow", Overlap::Allow)];

/// What stands for five fields.
const NICKNAMES: [&str; 6] = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@hourly"];

const HOW: &str =
    "write `#[background(\"cleanup\", 3600)]` for seconds, `every = \"1h30m\"`, or `cron = \"0 6 * * *\"`";

impl Background {
    pub(super) fn check(mut arguments: Arguments, mistakes: &mut Mistakes) -> Option<Self> {
        let span = arguments.span;
        let before = mistakes.len();
        let every = arguments.text(
            "every",
            "`every` is a duration in quotes, with its unit: `every = \"1h30m\"`",
            mistakes,
        );
        let cron =
            arguments.text("cron", "`cron` is an expression in quotes: `cron = \"0 6 * * *\"`", mistakes);
        let zone = arguments.text(
            "tz",
            "`tz` is the IANA name of a time zone in quotes: `tz = \"Europe/Amsterdam\"`",
            mistakes,
        );
        let jitter = duration_argument::argument(&mut arguments, "jitter", "30s", mistakes);
        let overlap = arguments.word("overlap", &OVERLAPS, mistakes);
        let immediate = arguments.flag("immediate", mistakes);
        let singleton = arguments.flag("singleton", mistakes);
        let timeout = duration_argument::argument(&mut arguments, "timeout", "10m", mistakes);
        // The interval first: a number is never the name.
        let seconds = arguments.seconds(mistakes);
        let triggers = usize::from(matches!(seconds, Seconds::Given(_)))
            + usize::from(every.is_some())
            + usize::from(cron.is_some());
        let is_missing = triggers == 0 && mistakes.len() == before && !arguments.is_broken();
        let name = arguments.name("the schedule", "\"cleanup\", 3600", mistakes);
        // Whatever is wrong with the name, the error about it shows how to write an interval.
        if is_missing && name.is_some() {
            mistakes.at(span, format!("`background` needs an interval or a cron expression: {HOW}"));
        }
        arguments.finish(mistakes);

        if let (Some(zone), None) = (&zone, &cron) {
            mistakes.on(zone, "an interval is the same in every time zone; `tz` goes with `cron`");
        }
        let zone = zone.filter(|zone| check_zone(zone, mistakes));
        if triggers > 1 {
            let second = cron.as_ref().or(every.as_ref());
            if let Some(second) = second {
                mistakes.on(second, format!("it is said twice when this runs; {HOW}, and only one of them"));
            }
        }
        let when = match (seconds, every, cron) {
            (Seconds::Given(interval), ..) => When::Every(interval),
            (_, Some(every), _) => When::Every(duration_argument::read(&every, "every", "1h30m", mistakes)?),
            (.., Some(expression)) => {
                check_cron(&expression, mistakes)?;
                When::Cron { expression, zone }
            }
            _ => return None,
        };
        if let (When::Every(interval), Some((jitter, said))) = (&when, &jitter)
            && jitter >= interval
        {
            mistakes.on(said, "this would carry a run past the next one; make it less than the interval");
        }
        let name = name?;
        if let Err(reason) = names::check_text(&name.value()) {
            mistakes.on(&name, format!("this can't be the name of a schedule: {reason}"));
        }
        let (jitter, timeout) = (jitter.map(|(time, _)| time), timeout.map(|(time, _)| time));
        Some(Self { name, when, jitter, overlap, immediate, singleton, timeout })
    }
}

/// Whether it can be a name; whether there is such a zone shows at the start.
fn check_zone(zone: &LitStr, mistakes: &mut Mistakes) -> bool {
    let letter = |letter: char| letter.is_ascii_alphanumeric() || "_+-/".contains(letter);
    let value = zone.value();
    let can_be = !value.is_empty() && value.chars().all(letter);
    if !can_be {
        mistakes.on(
            zone,
            "this can't be a time zone; write its IANA name: `tz = \"Europe/Amsterdam\"`, `tz = \"UTC\"`",
        );
    }
    can_be
}

/// Checks the number of fields and the letters in them; whether they make sense is checked in full at the start.
fn check_cron(expression: &LitStr, mistakes: &mut Mistakes) -> Option<()> {
    let value = expression.value();
    let fields: Vec<&str> = value.split_whitespace().collect();
    if let [nickname] = fields[..]
        && nickname.starts_with('@')
    {
        if NICKNAMES.contains(&nickname) {
            return Some(());
        }
        let all = NICKNAMES.join(", ");
        mistakes.on(expression, format!("there is no `{nickname}`; there are {all}"));
        return None;
    }
    if !matches!(fields.len(), 5 | 6) {
        mistakes.on(
            expression,
            format!(
                "a cron expression has five fields: minute, hour, day of month, month, day of week; or six with seconds in \
                 front; this one has {}",
                fields.len()
            ),
        );
        return None;
    }
    let strange = |field: &&&str| {
        field.contains(|letter: char| !letter.is_ascii_alphanumeric() && !"*,-/?#+".contains(letter))
    };
    if let Some(field) = fields.iter().find(strange) {
        mistakes.on(expression, format!("`{field}` can't be a field of a cron expression"));
        return None;
    }
    Some(())
}
