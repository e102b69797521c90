//! Validates the values of settings.

use std::time::Duration;

use daebus_caller::bus::BusUrl;
use daebus_caller::wire::ServiceName;
use jiff::SignedDuration;

use super::setting::Setting;
use crate::error::Mistake;
use crate::runtime::address;
use crate::runtime::logging::{self, Format};

/// Validates a value. The error describes the expected form.
pub(super) fn check(key: Setting, value: &str) -> Result<(), Mistake> {
    match key {
        Setting::Name => ServiceName::new(value).map(drop).map_err(|error| Mistake::new(error.to_string())),
        Setting::Bus => BusUrl::parse(value).map(drop).map_err(|error| Mistake::new(error.to_string())),
        Setting::Http | Setting::Ws => {
            address(value).map(drop).map_err(|error| Mistake::new(error.to_string()))
        }
        Setting::Log => logging::check(value).map_err(|error| Mistake::new(error.to_string())),
        Setting::LogFormat => {
            value.parse::<Format>().map(drop).map_err(|error| Mistake::new(error.to_string()))
        }
        Setting::Drain => duration(value).map(drop),
    }
}

/// Parses a duration: `30s`, `1m30s`, `500ms`, or a number of seconds.
pub(crate) fn duration(value: &str) -> Result<Duration, Mistake> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Ok(Duration::from_secs(seconds));
    }
    let read = value.parse::<SignedDuration>().ok().and_then(|time| Duration::try_from(time).ok());
    read.ok_or_else(|| {
        Mistake::new(format!("{value:?} is not a duration: write 30s, 1m30s, 500ms, or a number of seconds"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_durations() {
        for (value, millis) in [("30", 30_000), ("30s", 30_000), ("1m30s", 90_000), ("500ms", 500), ("0", 0)]
        {
            assert_eq!(duration(value), Ok(Duration::from_millis(millis)), "{value}");
        }
        for value in ["", "soon", "-5s", "5 parsecs"] {
            assert!(duration(value).unwrap_err().message().contains("write 30s"), "{value}");
        }
    }
}
