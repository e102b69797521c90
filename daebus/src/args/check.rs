//! Whether a setting can be what it says.

use std::time::Duration;

use daebus_caller::bus::BusUrl;
use daebus_caller::wire::ServiceName;
use jiff::SignedDuration;

use super::setting::Setting;
use crate::error::Mistake;
use crate::runtime::logging::{self, Format};

/// Checks a value; an error says what is wrong and what to write.
pub(super) fn check(key: Setting, value: &str) -> Result<(), Mistake> {
    match key {
        Setting::Name => ServiceName::new(value).map(drop).map_err(|error| Mistake::new(error.to_string())),
        Setting::Bus => BusUrl::parse(value).map(drop).map_err(|error| Mistake::new(error.to_string())),
        Setting::Http | Setting::Ws => address(value).map(drop),
        Setting::Log => logging::check(value).map_err(|error| Mistake::new(error.to_string())),
        Setting::LogFormat => {
            value.parse::<Format>().map(drop).map_err(|error| Mistake::new(error.to_string()))
        }
        Setting::Drain => duration(value).map(drop),
    }
}

/// Reads a time: `30s`, `1m30s`, `500ms`, or a number of seconds.
pub(crate) fn duration(value: &str) -> Result<Duration, Mistake> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Ok(Duration::from_secs(seconds));
    }
    let read = value.parse::<SignedDuration>().ok().and_then(|time| Duration::try_from(time).ok());
    read.ok_or_else(|| {
        Mistake::new(format!("{value:?} is no time: write 30s, 1m30s, 500ms, or a number of seconds"))
    })
}

/// Reads an address: `127.0.0.1:8080`, `[::1]:8080`, a host's name with a port; a port alone is every address.
pub(crate) fn address(value: &str) -> Result<String, Mistake> {
    let value = value.trim();
    let (host, port) = value.rsplit_once(':').unwrap_or(("", value));
    let host = if host.is_empty() { "0.0.0.0" } else { host };
    let is_one = !host.contains(|c: char| c.is_whitespace() || c == '/')
        && (!host.contains(':') || (host.starts_with('[') && host.ends_with(']')));
    match port.parse::<u16>() {
        Ok(port) if is_one => Ok(format!("{host}:{port}")),
        _ => Err(Mistake::new(format!(
            "{value:?} is no address: write 0.0.0.0:8080, 127.0.0.1:8080, [::1]:8080, or 8080"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        for (value, millis) in [("30", 30_000), ("30s", 30_000), ("1m30s", 90_000), ("500ms", 500), ("0", 0)]
        {
            assert_eq!(duration(value), Ok(Duration::from_millis(millis)), "{value}");
        }
        for value in ["", "soon", "-5s", "5 parsecs"] {
            assert!(duration(value).unwrap_err().message().contains("write 30s"), "{value}");
        }
    }

    #[test]
    fn addresses_are_read() {
        for (value, address_) in [
            ("8080", "0.0.0.0:8080"),
            (":8080", "0.0.0.0:8080"),
            ("localhost:0", "localhost:0"),
            ("[::1]:80", "[::1]:80"),
        ] {
            assert_eq!(address(value), Ok(address_.to_owned()));
        }
        for value in ["", "localhost", "::1:80", "http://localhost:80", "127.0.0.1:99999"] {
            assert!(address(value).unwrap_err().message().contains("write 0.0.0.0:8080"), "{value}");
        }
    }
}
