//! The URL of a bus.

use std::fmt;

use super::masked::{is_scheme, masked};
#[cfg(feature = "redis")]
use super::redis::{InvalidRedisUrl, RedisUrl};
use crate::error::BusError;

const MEMORY: &str = "memory";
const SCHEMES: &[&str] = &["redis", "redis+unix", "redis-sentinel", "redis-cluster"];
const TLS_SCHEMES: &[&str] = &["rediss", "rediss-sentinel", "rediss-cluster"];

/// The URL of a bus. [`Display`](fmt::Display) and [`Debug`] mask its password.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BusUrl {
    /// `memory://NAME`: the bus of that name within this process.
    Memory(String),
    /// `redis://…` and its variants.
    #[cfg(feature = "redis")]
    Redis(RedisUrl),
}

impl BusUrl {
    /// Parses a URL: `memory://NAME` (`memory://` alone is `memory://default`), `redis://`, `redis+unix://`,
    /// `redis-sentinel://`, `redis-cluster://`, and with the feature `tls` `rediss://`, `rediss-sentinel://`,
    /// `rediss-cluster://`. The parts of a Redis URL are those of the driver, [fred](https://docs.rs/fred).
    ///
    /// # Errors
    ///
    /// Returns [`BusError::Url`] if the URL can't be used; the message lists the supported URLs.
    pub fn parse(url: &str) -> Result<Self, BusError> {
        let url = url.trim();
        Self::read(url).map_err(|error| BusError::Url { url: masked(url), reason: error.to_string() })
    }

    fn read(url: &str) -> Result<Self, UrlError> {
        // What can't be a scheme may be a password, which the error must not show.
        let scheme = url.split_once("://").filter(|(scheme, _)| is_scheme(scheme));
        let (scheme, rest) = scheme.ok_or(UrlError::NoScheme)?;
        let scheme = scheme.to_ascii_lowercase();
        if scheme == MEMORY {
            let name = if rest.is_empty() { "default" } else { rest };
            return Ok(Self::Memory(name.to_owned()));
        }
        let is_tls = TLS_SCHEMES.contains(&scheme.as_str());
        if !is_tls && !SCHEMES.contains(&scheme.as_str()) {
            return Err(UrlError::UnknownScheme { scheme });
        }
        if is_tls && !cfg!(feature = "tls") {
            return Err(UrlError::NeedsFeature { scheme, needs: "TLS", feature: "tls" });
        }
        Self::read_redis(url, scheme)
    }

    #[cfg(feature = "redis")]
    fn read_redis(url: &str, _: String) -> Result<Self, UrlError> {
        Ok(Self::Redis(RedisUrl::parse(url)?))
    }

    #[cfg(not(feature = "redis"))]
    fn read_redis(_: &str, scheme: String) -> Result<Self, UrlError> {
        Err(UrlError::NeedsFeature { scheme, needs: "the bus on Redis", feature: "redis" })
    }
}

/// Why a URL can't be used.
#[derive(Debug, thiserror::Error)]
enum UrlError {
    #[error("it has no scheme; {}", possible())]
    NoScheme,
    #[error("the scheme {scheme}:// is unknown; {}", possible())]
    UnknownScheme { scheme: String },
    #[error(
        "{scheme}:// needs {needs}, which is not compiled in; enable the feature {feature:?} of daebus or daebus-caller"
    )]
    NeedsFeature { scheme: String, needs: &'static str, feature: &'static str },
    #[cfg(feature = "redis")]
    #[error(transparent)]
    Driver(#[from] InvalidRedisUrl),
}

impl fmt::Display for BusUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory(name) => write!(f, "memory://{name}"),
            #[cfg(feature = "redis")]
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

fn possible() -> String {
    let url_of = |schemes: &[&str]| format!("{}://", schemes.join("://, "));
    let redis = if cfg!(feature = "redis") { "" } else { " with the feature \"redis\"" };
    let tls = if cfg!(feature = "tls") {
        url_of(TLS_SCHEMES)
    } else {
        String::from("rediss:// with the feature \"tls\"")
    };
    format!(
        "write memory://NAME for a bus within this process, or {}{redis} for a server, as in \
         redis://127.0.0.1:6379; over TLS {tls}",
        url_of(SCHEMES)
    )
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

    #[cfg(feature = "redis")]
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

    #[cfg(feature = "redis")]
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
    }

    #[test]
    fn a_password_is_not_shown_in_errors() {
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
        refused("http://localhost", "the scheme http:// is unknown; write memory://NAME");
        #[cfg(feature = "redis")]
        refused("redis://", "host");
        #[cfg(feature = "redis")]
        refused("redis://host:port", "invalid port number; write redis://127.0.0.1:6379 for example");
        #[cfg(feature = "redis")]
        refused("redis://host/one", "");
        #[cfg(not(feature = "redis"))]
        refused("redis://host", "enable the feature \"redis\"");
        #[cfg(not(feature = "tls"))]
        refused("rediss://host", "enable the feature \"tls\"");
    }
}
