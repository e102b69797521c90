//! From a URL to a bus.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::interface::Bus;
use super::memory::MemoryBus;
use super::redis::RedisBus;
use super::url::BusUrl;
use crate::error::BusError;

/// Connects to the bus that `url` names, retrying until it is there: an absent Redis is said once, in one line.
///
/// # Errors
///
/// When the URL can't be read, or the server refuses us for good (wrong password, for example).
pub async fn connect(url: &BusUrl) -> Result<Arc<dyn Bus>, BusError> {
    match url {
        BusUrl::Memory(name) => Ok(MemoryBus::named(name)),
        BusUrl::Redis(url) => {
            // Boxed as a trait object: fred's futures are nested so deeply that an `async fn main` around them would
            // reach the compiler's depth limit.
            let connecting: BoxFuture<'_, _> = Box::pin(RedisBus::connect(url));
            connecting.await
        }
    }
}

/// Returns at once with a bus that may be away yet, and connects in the background for as long as it takes.
///
/// # Errors
///
/// When the URL can't be used.
///
/// # Panics
///
/// Outside of a tokio runtime, for a bus on a server.
pub fn connect_lazily(url: &BusUrl) -> Result<Arc<dyn Bus>, BusError> {
    match url {
        BusUrl::Memory(name) => Ok(MemoryBus::named(name)),
        BusUrl::Redis(url) => RedisBus::connect_lazily(url),
    }
}
