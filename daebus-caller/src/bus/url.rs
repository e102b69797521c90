//! Where a bus is, as people write it.

use std::fmt;

use ::url::Url;

use super::redis;
use crate::error::BusError;

const MEMORY: &str = "memory";
const SCHEMES: &[&str] = &["redis", "redis+unix", "redis-sentinel", "redis-cluster"];
const TLS_SCHEMES: &[&str] = &["rediss", "rediss-sentinel", "rediss-cluster"];

/// The URL of a bus. [`Display`](fmt::Display) and [`Debug`](fmt::Debug) mask its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BusUrl {
    /// `memory://NAME`: the bus of that name within this process.
    Memory(String),
    /// `redis://…` and its kin.
    Redis(RedisUrl),
}

impl BusUrl {
    /// Reads a URL: `memory://NAME` (`memory://` alone is `memory://default`), `redis://`, `redis+unix://`,
    /// `redis-sentinel://`, `redis-cluster://`, and with the feature `tls` `rediss://`, `rediss-sentinel://`,
    /// `rediss-cluster://`. What they hold is fred's [`Config::from_url`](fred::types::config::Config::from_url).
    ///
    /// # Errors
    ///
    /// [`BusError::Url`], saying what is wrong and what is possible.
    pub fn parse(url: &str) -> Result<Self, BusError> {
        let url = url.trim();
        let refuse = |reason: String| Err(BusError::Url { url: masked(url), reason });
        let Some((scheme, rest)) = url.split_once("://") else {
            return refuse(format!("it has no scheme; {}", possible()));
        };
        let scheme = scheme.to_ascii_lowercase();
        if scheme == MEMORY {
            let name = if rest.is_empty() { "default" } else { rest };
            return Ok(Self::Memory(name.to_owned()));
        }
        if TLS_SCHEMES.contains(&scheme.as_str()) {
            if !cfg!(feature = "tls") {
                return refuse(format!(
                    "{scheme}:// needs TLS, which isn't compiled in; switch on the feature \"tls\" of daebus or daebus-caller"
                ));
            }
        } else if !SCHEMES.contains(&scheme.as_str()) {
            return refuse(format!("{scheme}:// isn't one of ours; {}", possible()));
        }
        match redis::check(url) {
            Ok(()) => Ok(Self::Redis(RedisUrl(url.to_owned()))),
            Err(reason) => refuse(reason),
        }
    }
}

impl fmt::Display for BusUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory(name) => write!(f, "memory://{name}"),
            Self::Redis(url) => url.fmt(f),
        }
    }
}

impl std::str::FromStr for BusUrl {
    type Err = BusError;

    fn from_str(url: &str) -> Result<Self, BusError> {
        Self::parse(url)
    }
}

/// The URL of a Redis server, read by [`BusUrl::parse`]. [`Display`](fmt::Display) and [`Debug`](fmt::Debug) mask its
/// password.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl(String);

impl RedisUrl {
    /// The whole URL, password included. Not for logs.
    pub fn with_password(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&masked(&self.0))
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", masked(&self.0))
    }
}

fn possible() -> String {
    let tls = if cfg!(feature = "tls") {
        format!("; over TLS {}://", TLS_SCHEMES.join("://, "))
    } else {
        String::from("; over TLS rediss:// with the feature \"tls\"")
    };
    format!(
        "write memory://NAME for a bus within this process, or {}:// for a server, as in redis://127.0.0.1:6379{tls}",
        SCHEMES.join("://, ")
    )
}

/// The URL without its passwords. What can't be read as a URL is shown in errors, and loses all before its last `@`.
fn masked(url: &str) -> String {
    let shown = match Url::parse(url) {
        Ok(mut parsed) => {
            if parsed.password().is_some() {
                // Refused only where there can be no password.
                let _ = parsed.set_password(Some("***"));
            }
            parsed.to_string()
        }
        Err(_) => match url.rsplit_once('@') {
            Some((secret, host)) => {
                let scheme = secret.split_once("://").map_or("", |(scheme, _)| scheme);
                format!("{scheme}://***@{host}")
            }
            None => url.to_owned(),
        },
    };
    let Some((base, query)) = shown.split_once('?') else { return shown };
    let mask = |pair: &str| match pair.split_once('=') {
        Some((key, _)) if key.to_ascii_lowercase().contains("password") => format!("{key}=***"),
        _ => pair.to_owned(),
    };
    format!("{base}?{}", query.split('&').map(mask).collect::<Vec<_>>().join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> BusUrl {
        BusUrl::parse(url).unwrap()
    }

    fn refused(url: &str, because: &str) -> String {
        let error = BusUrl::parse(url).unwrap_err().to_string();
        assert!(error.contains(because), "{error}");
        error
    }

    #[test]
    fn the_in_process_bus_has_a_name() {
        assert_eq!(parse("memory://demo"), BusUrl::Memory("demo".into()));
        assert_eq!(parse("memory://"), BusUrl::Memory("default".into()));
        assert_eq!(parse(" memory://demo\n").to_string(), "memory://demo");
    }

    #[test]
    fn servers_are_named_in_freds_ways() {
        for url in [
            "redis://127.0.0.1:6379",
            "redis://host",
            "redis://host:6380/3",
            "redis+unix:///run/redis.sock",
            "redis-sentinel://host:26379/1?sentinelServiceName=main&node=other:26379",
            "redis-cluster://host:30001?node=other:30002",
        ] {
            assert_eq!(parse(url).to_string(), url);
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        for (url, shown) in [
            ("redis://user:secret@host/0", "redis://user:***@host/0"),
            ("redis://:secret@host", "redis://:***@host"),
            ("redis+unix://u:secret@x/run/redis.sock", "redis+unix://u:***@x/run/redis.sock"),
            ("redis-cluster://u:secret@host:1?node=b:2", "redis-cluster://u:***@host:1?node=b:2"),
            (
                "redis-sentinel://u:secret@h:1/0?sentinelServiceName=m&sentinelUsername=x&sentinelPassword=secret",
                "redis-sentinel://u:***@h:1/0?sentinelServiceName=m&sentinelUsername=x&sentinelPassword=***",
            ),
        ] {
            assert_eq!(parse(url).to_string(), shown);
            assert!(!format!("{:?}", parse(url)).contains("secret"));
        }
        for url in [
            "redis://u:se/cret@host",
            "redis://u:s?cret@host",
            "http://u:secret@host",
            "redis://u:secret@host/x/y",
        ] {
            let error = BusUrl::parse(url).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("cret"), "{error}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_what_can() {
        refused("localhost:6379", "has no scheme; write memory://NAME");
        refused("http://localhost", "http:// isn't one of ours; write memory://NAME");
        refused("redis://", "host");
        refused("redis://host/one", "");
        #[cfg(not(feature = "tls"))]
        refused("rediss://host", "switch on the feature \"tls\"");
    }
}
