//! The URL of a Redis server.

use std::fmt;

use fred::error::Error;
use fred::types::config::Config;

use super::failure::sentence;
use crate::bus::masked::masked;

/// The URL of a Redis server, read by [`BusUrl::parse`](crate::bus::BusUrl::parse). [`Display`](fmt::Display) and
/// [`Debug`] mask its password.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl {
    masked: String,
    /// Boxed, because it is far larger than the other kinds of bus URLs.
    config: Box<Config>,
}

impl RedisUrl {
    /// Parses a URL of one of fred's schemes.
    pub(crate) fn parse(url: &str) -> Result<Self, InvalidRedisUrl> {
        // The driver parses the URL in the same way, and reports the `Debug` output of an error.
        url::Url::parse(url)?;
        Ok(Self { masked: masked(url), config: Box::new(Config::from_url(url)?) })
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }
}

/// A URL that can't be read, or that the driver rejects.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidRedisUrl {
    #[error("{0}; write redis://127.0.0.1:6379 for example")]
    Syntax(#[from] url::ParseError),
    #[error("{}; write redis://127.0.0.1:6379 for example", sentence(.0.details()))]
    Driver(#[from] Error),
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked)
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.masked, f)
    }
}
