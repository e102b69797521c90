//! What a service reports about itself.

use jiff::Timestamp;
use tokio::time::Instant;

use crate::runtime::Clock;

/// What a service reports about itself.
#[derive(Debug)]
pub(crate) struct About {
    pub(crate) version: Option<String>,
    pub(crate) description: Option<String>,
    /// When the service was started, on the wall clock.
    pub(crate) started: Timestamp,
    /// The same on tokio's clock, which isn't set.
    pub(crate) began: Instant,
}

impl About {
    /// Describes a service that starts now.
    pub(crate) fn new(version: Option<String>, description: Option<String>, clock: &Clock) -> Self {
        Self { version, description, started: clock.now(), began: Instant::now() }
    }
}
