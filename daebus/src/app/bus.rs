//! Chooses the bus, and connects to it.

use std::sync::Arc;

use daebus_caller::bus::{self, Bus, BusUrl};
use tracing::warn;

use crate::error::{Error, Mistake, Result};

const VARIABLE: &str = "DAEBUS_URL";

/// Returns the bus of `.bus(url)`, or else that of `DAEBUS_URL`, or else `None` for the in-process bus.
///
/// # Errors
///
/// Returns an error if the URL is invalid, or if no bus is configured and systemd started the process.
pub(super) fn choose(service: &str, url: Option<&str>) -> Result<Option<BusUrl>> {
    if let Some(url) = url {
        return Ok(Some(BusUrl::parse(url)?));
    }
    match variable(VARIABLE) {
        Some(url) => BusUrl::parse(&url).map(Some).map_err(|error| {
            let mistake = Mistake::new(error.to_string()).at(format_args!("the variable {VARIABLE}"));
            Error::Setup { service: service.to_owned(), mistakes: vec![mistake] }
        }),
        // A daemon without a bus is a mistake. systemd sets at least one of these variables.
        None if variable("NOTIFY_SOCKET").is_some() || variable("INVOCATION_ID").is_some() => {
            Err(Error::NoBus { service: service.to_owned() })
        }
        None => Ok(None),
    }
}

/// Connects to a [chosen](choose) bus. If `waits` is false, the bus may still be away on return.
pub(super) async fn connect(service: &str, url: Option<BusUrl>, waits: bool) -> Result<Arc<dyn Bus>> {
    let url = if let Some(url) = url {
        url
    } else {
        warn!(
            "no bus is configured, so {service} uses an in-process bus, which no other process can reach. \
             Set {VARIABLE}=redis://127.0.0.1:6379 or call .bus(url) to change that"
        );
        BusUrl::parse("memory://default")?
    };
    Ok(if waits { bus::connect(&url).await? } else { bus::connect_lazily(&url) })
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
