//! Times as people write them: `"500ms"`, `"2s"`, `"1m30s"`.

use std::time::Duration;

/// Units from the longest on; in a time of several parts they come in this order.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// The most that makes sense for a time to wait, and far from where the clock's arithmetic could overflow.
const MAX_MILLIS: u64 = 366 * 86_400_000;

/// The most that makes sense for a time to wait.
pub(super) const MOST: Duration = Duration::from_millis(MAX_MILLIS);

/// Reads a time of one or more parts, each a whole number with a unit.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let mut rest = text.trim();
    let mut millis: u64 = 0;
    let mut units = &UNITS[..];
    if rest.is_empty() {
        return Err("there is no time in it".to_owned());
    }
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|letter: char| !letter.is_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        if number.is_empty() {
            return Err("a part of it doesn't begin with a number".to_owned());
        }
        if unit.is_empty() {
            return Err(format!("`{number}` has no unit"));
        }
        let Some(at) = UNITS.iter().position(|(name, _)| *name == unit) else {
            return Err(format!("`{unit}` is no unit of time"));
        };
        let Some(position) = units.iter().position(|(name, _)| *name == unit) else {
            return Err(format!("`{unit}` comes after a part that is as short or shorter"));
        };
        units = &units[position + 1..];
        let part = number.parse::<u64>().ok().and_then(|number| number.checked_mul(UNITS[at].1));
        let sum = part.and_then(|part| millis.checked_add(part)).filter(|sum| *sum <= MAX_MILLIS);
        millis = sum.ok_or("more than a year")?;
        rest = after.trim_start();
    }
    if millis == 0 {
        return Err("nothing can be done in no time".to_owned());
    }
    Ok(Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::parse;

    #[test]
    fn times_are_read() {
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
    fn what_is_no_time_is_refused() {
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
