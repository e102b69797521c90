//! The connection to the bus.

use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use daebus_caller::bus::{self, Bus, BusUrl};
use daebus_caller::{BusError, Caller, Link};

use crate::failure::Failure;

/// Where a server listens that has no other settings.
const DEFAULT_URL: &str = "redis://127.0.0.1:6379";

/// How long the server may take to answer.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);

/// How long the program waits at its end for messages that are being published, `$cancel` for example.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);

/// A connection to the bus.
#[derive(Debug)]
pub(crate) struct Connection {
    bus: Arc<dyn Bus>,
    link: Link,
}

impl Connection {
    /// Connects to the bus of that URL.
    pub(crate) async fn open(url: Option<&str>, open_bus: &OpenBus) -> Result<Self, Failure> {
        let url = parse(url)?;
        let connecting = tokio::time::timeout(CONNECT_WITHIN, bus::connect(&url));
        let bus = connecting.await.map_err(|_| BusError::Away { location: url.to_string() })??;
        // A command connects once.
        let _ = open_bus.0.set(Arc::downgrade(&bus));
        Ok(Self { link: Link::new(Arc::clone(&bus)), bus })
    }

    pub(crate) fn bus(&self) -> &Arc<dyn Bus> {
        &self.bus
    }

    /// Returns a caller of a service. An invalid name is reported by its first call.
    pub(crate) fn caller(&self, service: &str) -> Caller {
        Caller::from_link(self.link.clone(), service)
    }
}

/// The bus of the command, which may stay open for a moment after the command.
#[derive(Debug, Default)]
pub(crate) struct OpenBus(OnceLock<Weak<dyn Bus>>);

impl OpenBus {
    /// Waits until nothing uses the bus, so that every message is published.
    pub(crate) async fn closed(&self) {
        let is_open = || self.0.get().is_some_and(|bus| bus.strong_count() > 0);
        let closed = async {
            while is_open() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        // Values that are still in use after the limit are dropped when the process ends.
        let _ = tokio::time::timeout(CLOSE_WITHIN, closed).await;
    }
}

/// Reads the URL of a bus on a server.
fn parse(url: Option<&str>) -> Result<BusUrl, Failure> {
    match BusUrl::parse(url.unwrap_or(DEFAULT_URL))? {
        BusUrl::Memory(_) => Err(Failure::Usage(
            "an in-process bus can't be reached from another process: name a server, as in --bus redis://127.0.0.1:6379"
                .into(),
        )),
        url => Ok(url),
    }
}
