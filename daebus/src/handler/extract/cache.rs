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

/// A small key-value store: in Redis, or in memory with the in-process bus. An argument of any handler.
///
/// Keys have no prefix, so Rust and Python services share the same entries. A string is stored without quotes, a number as its
/// digits, and any other value as JSON.
///
/// The requested type determines how a value is read: a `String` is the stored text, and any other type is deserialized from
/// JSON. As a `serde_json::Value`, a stored text that is valid JSON, such as `5`, is read as JSON, and any other text as a
/// string.
///
/// ```
/// use daebus::prelude::*;
///
/// #[on_start]
/// async fn count_starts(cache: Cache) -> Result<(), BoxError> {
///     let starts = cache.increment("my_service:starts", 1).await?;
///     cache.set("my_service:greeting", "hello").await?;
///     cache
///         .set_for(
///             "my_service:session",
///             json!({"user": 7}),
///             Duration::from_secs(60),
///         )
///         .await?;
///     let greeting: Option<String> = cache.get("my_service:greeting").await?;
/// # let _ = (starts, greeting);
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Cache {
    bus: Arc<dyn Bus>,
}

/// Errors returned by cache operations.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// The bus is away, or refuses the operation, such as an increment of a value that isn't a number.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// The value can't be deserialized as the requested type.
    #[error("the value of {key:?} can't be deserialized: {reason}")]
    Decode {
        /// The key.
        key: String,
        /// The message of serde.
        reason: String,
    },
    /// The value can't be serialized as JSON.
    #[error("the value for {key:?} can't be serialized: {reason}")]
    Encode {
        /// The key.
        key: String,
        /// The message of serde.
        reason: String,
    },
}

impl Cache {
    pub(crate) fn new(bus: Arc<dyn Bus>) -> Self {
        Self { bus }
    }

    /// Returns the value of a key, or `None` if the key doesn't exist or has expired.
    ///
    /// # Errors
    ///
    /// Returns [`CacheError::Decode`] if the value can't be deserialized as `T`, and [`CacheError::Bus`] if the bus is away.
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, CacheError> {
        let decode = |reason: String| CacheError::Decode { key: key.to_owned(), reason };
        let Some(value) = self.bus.get(key).await? else { return Ok(None) };
        let text = std::str::from_utf8(&value).map_err(|_| decode("it is not UTF-8".to_owned()))?;
        T::deserialize(PlainText(text)).map(Some).map_err(|error| decode(error.to_string()))
    }

    /// Sets a key, without an expiry.
    ///
    /// # Errors
    ///
    /// Returns [`CacheError::Encode`] if the value can't be serialized as JSON, and [`CacheError::Bus`] if the bus is away.
    pub async fn set(&self, key: &str, value: impl Serialize) -> Result<(), CacheError> {
        self.write(key, value, SetOptions::default()).await.map(drop)
    }

    /// Sets a key that expires after `ttl`, which is rounded up to whole milliseconds.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`set`](Self::set), and [`CacheError::Bus`] if `ttl` is zero.
    pub async fn set_for(&self, key: &str, value: impl Serialize, ttl: Duration) -> Result<(), CacheError> {
        let options = SetOptions { ttl: Some(ttl), only_if_absent: false };
        self.write(key, value, options).await.map(drop)
    }

    /// Sets a key, without an expiry, if it doesn't exist. Returns whether the key was set. Of several concurrent calls, one
    /// sets the key.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`set`](Self::set).
    pub async fn set_if_absent(&self, key: &str, value: impl Serialize) -> Result<bool, CacheError> {
        self.write(key, value, SetOptions { ttl: None, only_if_absent: true }).await
    }

    /// Sets a key that expires after `ttl` if it doesn't exist. Returns whether the key was set. Of several concurrent calls,
    /// one sets the key.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`set_for`](Self::set_for).
    pub async fn set_if_absent_for(
        &self,
        key: &str,
        value: impl Serialize,
        ttl: Duration,
    ) -> Result<bool, CacheError> {
        self.write(key, value, SetOptions { ttl: Some(ttl), only_if_absent: true }).await
    }

    /// Deletes a key. Returns whether the key existed.
    ///
    /// # Errors
    ///
    /// Returns [`CacheError::Bus`] if the bus is away.
    pub async fn delete(&self, key: &str) -> Result<bool, CacheError> {
        Ok(self.bus.delete(key).await?)
    }

    /// Adds `by` to the integer at a key, atomically, and returns the sum. A key that doesn't exist counts as 0.
    ///
    /// # Errors
    ///
    /// Returns [`CacheError::Bus`] if the value isn't an integer, if the sum overflows an `i64`, or if the bus is away.
    pub async fn increment(&self, key: &str, by: i64) -> Result<i64, CacheError> {
        Ok(self.bus.increment(key, by).await?)
    }

    /// Sets the expiry of a key. Returns whether the key existed.
    ///
    /// # Errors
    ///
    /// Returns [`CacheError::Bus`] if the bus is away.
    pub async fn expire(&self, key: &str, ttl: Duration) -> Result<bool, CacheError> {
        Ok(self.bus.expire(key, ttl).await?)
    }

    /// Returns the client of the Redis driver, for commands that `Cache` doesn't have. Returns `None` with the in-process bus,
    /// and if the bus is away.
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

/// Returns a JSON string without its quotes and escapes, and any other JSON unchanged.
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
