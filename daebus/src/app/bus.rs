//! Which bus to use, when nobody or several say.

use std::sync::Arc;

use daebus_caller::bus::{self, Bus, BusUrl};
use tracing::warn;

use crate::error::{Error, Mistake, Result};

const VARIABLE: &str = "DAEBUS_URL";

/// The bus that `.bus(url)` names, else `DAEBUS_URL`, else the in-process one, for which `None` stands.
///
/// # Errors
///
/// Returns an error if the URL can't be used, or if there is none and systemd started the process.
pub(super) fn choose(service: &str, url: Option<&str>) -> Result<Option<BusUrl>> {
    if let Some(url) = url {
        return Ok(Some(BusUrl::parse(url)?));
    }
    match variable(VARIABLE) {
        Some(url) => BusUrl::parse(&url).map(Some).map_err(|error| {
            let mistake = Mistake::new(error.to_string()).at(format_args!("the variable {VARIABLE}"));
            Error::Setup { service: service.to_owned(), mistakes: vec![mistake] }
        }),
        // A daemon that nobody can reach is a mistake; systemd sets at least one of these.
        None if variable("NOTIFY_SOCKET").is_some() || variable("INVOCATION_ID").is_some() => {
            Err(Error::NoBus { service: service.to_owned() })
        }
        None => Ok(None),
    }
}

/// Connects to a bus that was [chosen](choose).
///
/// `waits`: until it is there; else the bus may be away yet.
pub(super) async fn connect(service: &str, url: Option<BusUrl>, waits: bool) -> Result<Arc<dyn Bus>> {
    let url = if let Some(url) = url {
        url
    } else {
        warn!(
            "no bus was named, so {service} uses the one inside this process: no other process can reach it. \
             Set {VARIABLE}=redis://127.0.0.1:6379 or call .bus(url) to change that"
        );
        BusUrl::parse("memory://default")?
    };
    Ok(if waits { bus::connect(&url).await? } else { bus::connect_lazily(&url) })
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
