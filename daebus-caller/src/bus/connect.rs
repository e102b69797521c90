//! Connects to the bus that a URL names.

use std::sync::Arc;

use super::interface::Bus;
use super::memory::MemoryBus;
#[cfg(feature = "redis")]
use super::redis::RedisBus;
use super::url::BusUrl;
use crate::error::BusError;

/// Connects to the bus that `url` names. Retries until the server is reachable; an unreachable server is logged once.
///
/// # Errors
///
/// Returns [`BusError::Refused`] if the server refuses the connection for good, for a wrong password for example.
pub async fn connect(url: &BusUrl) -> Result<Arc<dyn Bus>, BusError> {
    match url {
        BusUrl::Memory(name) => Ok(MemoryBus::named(name)),
        #[cfg(feature = "redis")]
        BusUrl::Redis(url) => {
            // Boxed as a trait object: fred's futures are nested so deeply that an `async fn main` around them would
            // reach the compiler's depth limit.
            let connecting: futures_util::future::BoxFuture<'_, _> = Box::pin(RedisBus::connect(url));
            connecting.await
        }
    }
}

/// Returns immediately with a bus that may still be away, and connects in the background for as long as it takes.
///
/// # Panics
///
/// Panics outside of a tokio runtime if the bus is on a server.
pub fn connect_lazily(url: &BusUrl) -> Arc<dyn Bus> {
    match url {
        BusUrl::Memory(name) => MemoryBus::named(name),
        #[cfg(feature = "redis")]
        BusUrl::Redis(url) => RedisBus::connect_lazily(url),
    }
}
