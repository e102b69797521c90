//! Keeps the last readings of many sensors.
//!
//! What is here to be replaced: readings arrive as broadcasts on `sensors.<name>` and are kept by the feature
//! [`Store`]; actions ask for them; the repeater [`Watch`] says on `my_service.silent` which sensors have gone silent.

mod handlers;
mod store;
mod watch;

use std::time::Duration;

use daebus::prelude::*;

pub use handlers::{GetReading, ReadingError, sensors};
pub use store::{Reading, Store};
pub use watch::Watch;

/// What the application needs to know that every service doesn't.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long a sensor may say nothing.
    pub silence: Duration,
}

/// Puts the application together; `service` says what it is called and where its bus is.
pub fn app(service: Daebus, options: &Options) -> Daebus {
    service.feature(Store::default()).repeater(Watch::new(options.silence)).register(sensors::blueprint())
    // `.attach(Http::bind("127.0.0.1:8080"))` makes a server for `#[route(…)]`s, and `/_service/status`.
}
