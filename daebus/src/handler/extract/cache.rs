use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use daebus_caller::BusError;
use daebus_caller::bus::{Bus, SetOptions};
use daebus_caller::wire::{RawJson, encode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Extract;
use super::plain_text::PlainText;
use crate::handler::context::Context;
use crate::handler::failure::Failure;
use crate::handler::kind::Kind;

/// A small key-value store: on Redis there, in memory on the in-process bus.
///
/// Keys are used as they are, so a Python service's `cache` finds what this one writes and the other way round. So are
/// values: a text is stored as it is, without quotes, a number as its digits, anything else as JSON. Reading goes by
/// the type that is asked for: as a `String` every value is its text, as a number or a struct it is read as JSON. Only
/// a `serde_json::Value` can't know: a text that happens to be JSON, like `5`, is read as that.
///
/// ```
/// use daebus::prelude::*;
///
/// #[on_start]
/// async fn count_starts(cache: Cache) -> Result<(), BoxError> {
///     let starts = cache.increment("my_service:starts", 1).await?;
///     cache.set("my_service:greeting", "hello").await?;
///     cache.set_for("my_service:session", json!({"user": 7}), Duration::from_secs(60)).await?;
///     let greeting: Option<String> = cache.get("my_service:greeting").await?;
///     # let _ = (starts, greeting);
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Cache {
    bus: Arc<dyn Bus>,
}

/// Why a value can't be had or kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// The bus is away, or refuses: for example to increment what is no number.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// The value doesn't fit the type that was asked for.
    #[error("the value of {key:?} can't be read: {reason}")]
    Decode {
        /// The key.
        key: String,
        /// What serde says.
        reason: String,
    },
    /// The value can't be written as JSON.
    #[error("the value for {key:?} can't be written: {reason}")]
    Encode {
        /// The key.
        key: String,
        /// What serde says.
        reason: String,
    },
}

impl Cache {
    pub(crate) fn new(bus: Arc<dyn Bus>) -> Self {
        Self { bus }
    }

    /// Reads a key. `None`: it isn't there, or its time is over.
    ///
    /// # Errors
    ///
    /// When the value doesn't fit the type, or the bus is away.
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, CacheError> {
        let decode = |reason: String| CacheError::Decode { key: key.to_owned(), reason };
        let Some(value) = self.bus.get(key).await? else { return Ok(None) };
        let text = std::str::from_utf8(&value).map_err(|_| decode("it is not UTF-8".to_owned()))?;
        T::deserialize(PlainText(text)).map(Some).map_err(|error| decode(error.to_string()))
    }

    /// Writes a key, for good.
    ///
    /// # Errors
    ///
    /// When the value can't be written as JSON, or the bus is away.
    pub async fn set(&self, key: &str, value: impl Serialize) -> Result<(), CacheError> {
        self.write(key, value, SetOptions::default()).await.map(drop)
    }

    /// Writes a key that goes away after `ttl`, which is rounded up to whole milliseconds.
    ///
    /// # Errors
    ///
    /// As for [`set`](Self::set), and for a `ttl` of nothing.
    pub async fn set_for(&self, key: &str, value: impl Serialize, ttl: Duration) -> Result<(), CacheError> {
        let options = SetOptions { ttl: Some(ttl), only_if_absent: false };
        self.write(key, value, options).await.map(drop)
    }

    /// Writes a key that isn't there, for good; returns whether it did. Of many that try at once one does.
    ///
    /// # Errors
    ///
    /// As for [`set`](Self::set).
    pub async fn set_if_absent(&self, key: &str, value: impl Serialize) -> Result<bool, CacheError> {
        self.write(key, value, SetOptions { ttl: None, only_if_absent: true }).await
    }

    /// Writes a key that isn't there and goes away after `ttl`; returns whether it did. Of many that try at once one
    /// does.
    ///
    /// # Errors
    ///
    /// As for [`set_for`](Self::set_for).
    pub async fn set_if_absent_for(
        &self,
        key: &str,
        value: impl Serialize,
        ttl: Duration,
    ) -> Result<bool, CacheError> {
        self.write(key, value, SetOptions { ttl: Some(ttl), only_if_absent: true }).await
    }

    /// Deletes a key; returns whether it was there.
    ///
    /// # Errors
    ///
    /// When the bus is away.
    pub async fn delete(&self, key: &str) -> Result<bool, CacheError> {
        Ok(self.bus.delete(key).await?)
    }

    /// Adds to the whole number at a key, a key that isn't there counting as 0, and returns the sum. Increments of
    /// many at once all count.
    ///
    /// # Errors
    ///
    /// When the value is no whole number, the sum too large, or the bus away.
    pub async fn increment(&self, key: &str, by: i64) -> Result<i64, CacheError> {
        Ok(self.bus.increment(key, by).await?)
    }

    /// Lets a key go away after `ttl`; returns whether it was there.
    ///
    /// # Errors
    ///
    /// When the bus is away.
    pub async fn expire(&self, key: &str, ttl: Duration) -> Result<bool, CacheError> {
        Ok(self.bus.expire(key, ttl).await?)
    }

    /// Returns the client of the Redis driver, for commands that `Cache` doesn't have; `None` on the in-process bus, or
    /// if the bus is away.
    ///
    /// Its type follows the major version of [fred](https://docs.rs/fred) and may change in any minor release of Daebus;
    /// see [`Bus::redis`].
    #[cfg(feature = "redis")]
    pub fn redis(&self) -> Option<daebus_caller::fred::clients::Client> {
        self.bus.redis()
    }

    async fn write(&self, key: &str, value: impl Serialize, options: SetOptions) -> Result<bool, CacheError> {
        let text = text_of(&value)
            .map_err(|error| CacheError::Encode { key: key.to_owned(), reason: error.to_string() })?;
        Ok(self.bus.set(key, text, options).await?)
    }
}

/// A JSON string without its quotes and escapes; any other JSON as it is.
fn text_of<T: Serialize>(value: &T) -> Result<Bytes, serde_json::Error> {
    let json: RawJson = encode(value)?;
    if json.as_str().starts_with('"') {
        return serde_json::from_str::<String>(json.as_str()).map(Bytes::from);
    }
    Ok(json.as_bytes().clone())
}

impl<K: Kind> Extract<K> for Cache {
    async fn extract(cx: &mut Context) -> Result<Self, Failure> {
        Ok(Self::new(Arc::clone(&cx.core.bus)))
    }
}
