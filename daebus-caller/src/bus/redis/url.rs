//! The URL of a Redis server.

use std::fmt;

use fred::error::Error;
use fred::types::config::Config;

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
        Ok(Self { masked: masked(url), config: Box::new(Config::from_url(url)?) })
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }
}

/// A URL that the driver rejects.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.details())]
pub(crate) struct InvalidRedisUrl(#[from] Error);

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
