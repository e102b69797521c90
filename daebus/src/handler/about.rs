//! What a service reports about itself.

use jiff::Timestamp;
use tokio::time::Instant;

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
