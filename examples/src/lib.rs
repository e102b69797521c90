//! What the examples share.

use std::time::Duration;

use daebus::caller::bus::BusUrl;
use daebus::{BoxError, Http, WebSocket, contract};

/// A number of seconds from an environment variable; `None` if the variable isn't set.
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
            let reason =
                format!("{variable}={value} is no number of seconds; write {variable}=60 for example");
            Err(BoxError::from(reason).into())
        }
    }
}

/// Where two processes meet: `DAEBUS_URL`, else a Redis on this machine.
///
/// An application needn't ask: it reads `DAEBUS_URL` by itself, and falls back to a bus within its own process, with a
/// warning. These examples are about two processes, so they name a Redis instead.
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

/// HTTP at the address that `DAEBUS_HTTP` names, else on port 8080. Port 0 takes a free one; the log says which.
///
/// # Errors
///
/// Returns an error that names the variable, its value and a valid example if the value isn't an address.
pub fn http() -> daebus::Result<Http> {
    Ok(Http::bind(address("DAEBUS_HTTP")?.unwrap_or_else(|| "0.0.0.0:8080".to_owned())))
}

/// WebSockets at `/ws`: of the address that `DAEBUS_WS` names, else of the HTTP server's.
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

/// An address ends with a port.
fn address(variable: &str) -> daebus::Result<Option<String>> {
    let Ok(value) = std::env::var(variable) else { return Ok(None) };
    let port = value.trim_end_matches('/').rsplit(':').next().unwrap_or_default();
    if port.parse::<u16>().is_ok() {
        return Ok(Some(value));
    }
    let reason = format!("{variable}={value} is no address; write {variable}=127.0.0.1:8080 for example");
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
    /// Clears the shopping list.
    #[action("clear_items", idempotent)]
    async fn clear_items();
}
