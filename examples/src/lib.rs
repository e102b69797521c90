//! What the examples share.

use std::time::Duration;

use daebus::{BoxError, Http, WebSocket};

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
pub fn bus_url() -> String {
    std::env::var("DAEBUS_URL").unwrap_or_else(|_| "redis://127.0.0.1:6379".to_owned())
}

/// HTTP at the address that `DAEBUS_HTTP` names, else on port 8080. Port 0 takes a free one; the log says which.
pub fn http() -> Http {
    Http::bind(std::env::var("DAEBUS_HTTP").unwrap_or_else(|_| "0.0.0.0:8080".to_owned()))
}

/// WebSockets at `/ws`: of the address that `DAEBUS_WS` names, else of the HTTP server's.
pub fn web_socket() -> WebSocket {
    match std::env::var("DAEBUS_WS") {
        Ok(address) => WebSocket::new().bind(address),
        Err(_) => WebSocket::new(),
    }
}
