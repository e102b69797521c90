//! Settings and contracts that the examples share.

use std::time::Duration;

use daebus::caller::bus::BusUrl;
use daebus::{BoxError, Http, Stream, WebSocket, contract};

/// Returns the number of seconds in an environment variable, or `None` if it isn't set.
///
/// # Errors
///
/// Returns an error that names the variable, its value and a valid example if the value isn't a number greater than zero.
pub fn seconds(variable: &str) -> daebus::Result<Option<Duration>> {
    let Ok(value) = std::env::var(variable) else { return Ok(None) };
    let seconds = value.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    match seconds.filter(|seconds| !seconds.is_zero()) {
        Some(seconds) => Ok(Some(seconds)),
        None => {
            let reason = format!(
                "{variable}={value} is not a positive number of seconds; write {variable}=60 for example"
            );
            Err(BoxError::from(reason).into())
        }
    }
}

/// Returns the URL in `DAEBUS_URL`, or that of a Redis server on this machine.
///
/// `Daebus` reads `DAEBUS_URL` itself, and defaults to an in-process bus. The examples default to Redis instead, since they
/// consist of several processes.
///
/// # Errors
///
/// Returns an error that names the variable, its value and a valid example if the value isn't the URL of a bus.
pub fn bus_url() -> daebus::Result<String> {
    let Ok(url) = std::env::var("DAEBUS_URL") else { return Ok("redis://127.0.0.1:6379".to_owned()) };
    match BusUrl::parse(&url) {
        Ok(_) => Ok(url),
        Err(error) => Err(BoxError::from(format!("DAEBUS_URL: {error}")).into()),
    }
}

/// Returns an HTTP server on the address in `DAEBUS_HTTP`. Defaults to port 8080. Port 0 selects a free port, which is
/// logged.
///
/// # Errors
///
/// Returns an error that names the variable, its value and a valid example if the value isn't an address.
pub fn http() -> daebus::Result<Http> {
    Ok(Http::bind(address("DAEBUS_HTTP")?.unwrap_or_else(|| "0.0.0.0:8080".to_owned())))
}

/// Returns an HTTP server on the address in `DAEBUS_HTTP`. Defaults to port 8080 on the loopback interface.
///
/// # Errors
///
/// As [`http`].
pub fn local_http() -> daebus::Result<Http> {
    Ok(Http::bind(address("DAEBUS_HTTP")?.unwrap_or_else(|| "127.0.0.1:8080".to_owned())))
}

/// Returns WebSockets on `/ws`, on the address in `DAEBUS_WS`. Defaults to that of the HTTP server.
///
/// # Errors
///
/// Returns an error that names the variable, its value and a valid example if the value isn't an address.
pub fn web_socket() -> daebus::Result<WebSocket> {
    let sockets = WebSocket::new();
    Ok(match address("DAEBUS_WS")? {
        Some(address) => sockets.bind(address),
        None => sockets,
    })
}

/// Returns the address in an environment variable, which has to end with a port.
fn address(variable: &str) -> daebus::Result<Option<String>> {
    let Ok(value) = std::env::var(variable) else { return Ok(None) };
    let port = value.trim_end_matches('/').rsplit(':').next().unwrap_or_default();
    if port.parse::<u16>().is_ok() {
        return Ok(Some(value));
    }
    let reason = format!("{variable}={value} is not an address; write {variable}=127.0.0.1:8080 for example");
    Err(BoxError::from(reason).into())
}

/// The actions of `shopping_service`, for its handlers and its callers. A contract often has a crate of its own.
#[contract("shopping_service")]
pub trait Shopping {
    /// Returns all items that are on the shopping list.
    #[action("get_items", idempotent)]
    async fn get_items() -> Vec<String>;
    /// Adds an item to the shopping list.
    #[action("add_item")]
    async fn add_item(item: String);
    /// Adds each item of a stream, in order.
    #[action("add_item", each)]
    async fn add_many_items(items: impl Stream<Item = String>);
    /// Clears the shopping list.
    #[action("clear_items", idempotent)]
    async fn clear_items();
}
