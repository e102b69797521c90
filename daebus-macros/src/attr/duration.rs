//! Durations as text: `"500ms"`, `"2s"`, `"1m30s"`.

use std::fmt;
use std::time::Duration;

use crate::suggestion::list;

/// Units from the longest to the shortest, which is their order in a duration of several parts.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// The longest duration, far below what overflows the clock's arithmetic.
pub(super) const MAX: Duration = Duration::from_millis(MAX_MILLIS);

const MAX_MILLIS: u64 = 366 * 86_400_000;

/// Why a text is not a duration.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum DurationError {
    Empty,
    NoNumber,
    NoUnit { number: String },
    UnknownUnit { unit: String },
    UnitOrder { unit: String },
    TooLong,
    Zero,
}

impl fmt::Display for DurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the text is empty"),
            Self::NoNumber => f.write_str("each part must begin with a whole number"),
            Self::NoUnit { number } => write!(f, "`{number}` has no unit"),
            Self::UnknownUnit { unit } => {
                write!(
                    f,
                    "`{unit}` is not a unit of time; the units are {}",
                    list(&UNITS.map(|(unit, _)| unit))
                )
            }
            Self::UnitOrder { unit } => {
                write!(f, "`{unit}` must come before all shorter units, and only once")
            }
            Self::TooLong => f.write_str("the maximum is a year"),
            Self::Zero => f.write_str("the duration must be greater than zero"),
        }
    }
}

/// Parses a duration of one or more parts, each a whole number with a unit.
pub(super) fn parse(text: &str) -> Result<Duration, DurationError> {
    let mut rest = text.trim();
    let mut millis: u64 = 0;
    let mut units = &UNITS[..];
    if rest.is_empty() {
        return Err(DurationError::Empty);
    }
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|letter: char| !letter.is_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        if number.is_empty() {
            return Err(DurationError::NoNumber);
        }
        if unit.is_empty() {
            return Err(DurationError::NoUnit { number: number.to_owned() });
        }
        let Some((_, unit_millis)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(DurationError::UnknownUnit { unit: unit.to_owned() });
        };
        let Some(position) = units.iter().position(|(name, _)| *name == unit) else {
            return Err(DurationError::UnitOrder { unit: unit.to_owned() });
        };
        units = &units[position + 1..];
        let part = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*unit_millis));
        let sum = part.and_then(|part| millis.checked_add(part)).filter(|sum| *sum <= MAX_MILLIS);
        millis = sum.ok_or(DurationError::TooLong)?;
        rest = after.trim_start();
    }
    if millis == 0 {
        return Err(DurationError::Zero);
    }
    Ok(Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::parse;

    #[test]
    fn parses_durations() {
        for (text, millis) in [
            ("500ms", 500),
            ("2s", 2_000),
            ("1m30s", 90_000),
            ("1h", 3_600_000),
            ("1d 2h", 93_600_000),
            ("1s500ms", 1_500),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn rejects_text_that_is_no_duration() {
        for text in [
            "",
            " ",
            "2",
            "s",
            "2 parsecs",
            "2s1m",
            "2s2s",
            "0s",
            "-1s",
            "1.5s",
            "99999999999999999999s",
            "400d",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
