//! Which bus to use, when nobody or several say.

use std::sync::Arc;

use daebus_caller::bus::{self, Bus, BusUrl};
use tracing::warn;

use crate::error::{Error, Result};

/// Connects to the bus that `.bus(url)` names, else `DAEBUS_URL`, else the in-process one.
///
/// `waits`: until it is there; else the bus may be away yet.
pub(super) async fn connect(service: &str, url: Option<&str>, waits: bool) -> Result<Arc<dyn Bus>> {
    let url = match url.map(str::to_owned).or_else(|| variable("DAEBUS_URL")) {
        Some(url) => BusUrl::parse(&url)?,
        // A daemon that nobody can reach is a mistake; systemd sets at least one of these.
        None if variable("NOTIFY_SOCKET").is_some() || variable("INVOCATION_ID").is_some() => {
            return Err(Error::NoBus { service: service.to_owned() });
        }
        None => {
            warn!(
                "no bus was named, so {service} uses the one inside this process: no other process can reach it. \
                 Set DAEBUS_URL=redis://127.0.0.1:6379 or call .bus(url) to change that"
            );
            BusUrl::parse("memory://default")?
        }
    };
    Ok(if waits { bus::connect(&url).await? } else { bus::connect_lazily(&url) })
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
