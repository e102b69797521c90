//! The bus on Redis, through fred.

use std::sync::Arc;

use fred::types::config::Config;

use super::Bus;
use super::url::RedisUrl;
use crate::error::BusError;

/// Whether fred can use the URL, else why not.
pub(super) fn check(url: &str) -> Result<(), String> {
    Config::from_url(url).map(drop).map_err(|error| error.details().to_owned())
}

/// A bus on a Redis or Valkey server.
#[derive(Debug)]
pub struct RedisBus;

impl RedisBus {
    /// Connects.
    pub async fn connect(url: &RedisUrl) -> Result<Arc<dyn Bus>, BusError> {
        Err(BusError::Away { location: url.to_string() })
    }
}
