//! What the examples share.

/// Where two processes meet: `DAEBUS_URL`, else a Redis on this machine.
///
/// An application needn't ask: it reads `DAEBUS_URL` by itself, and falls back to a bus within its own process, with a
/// warning. These examples are about two processes, so they name a Redis instead.
pub fn bus_url() -> String {
    std::env::var("DAEBUS_URL").unwrap_or_else(|_| "redis://127.0.0.1:6379".to_owned())
}
