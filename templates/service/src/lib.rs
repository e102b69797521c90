//! Stores the latest readings of sensors.
//!
//! Replace this example: readings arrive as broadcasts on `sensors.<name>`, the feature [`Store`] keeps them, an action
//! returns them, and the repeater [`Watch`] publishes the sensors without recent readings on `my_service.silent`.

mod handlers;
mod store;
mod watch;

use std::time::Duration;

use daebus::prelude::*;

pub use handlers::{GetReading, ReadingError, sensors};
pub use store::{Reading, Store};
pub use watch::Watch;

/// The application's own settings.
#[derive(Debug, Clone)]
pub struct Options {
    /// The time without a reading after which a sensor is reported.
    pub silence: Duration,
}

/// Returns the application; `service` has its name and its bus.
pub fn app(service: Daebus, options: &Options) -> Daebus {
    service.feature(Store::default()).repeater(Watch::new(options.silence)).register(sensors::blueprint())
    // `.attach(Http::bind("127.0.0.1:8080"))` adds an HTTP server for routes and health checks.
}
