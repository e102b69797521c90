//! How often the presence is refreshed.

use std::time::Duration;

use daebus_caller::wire::presence::{INDEX_TTL, INFO_TTL, REFRESH};

/// The interval at which the presence is refreshed, and the lifetimes of its keys.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) refresh: Duration,
    pub(super) info: Duration,
    pub(super) index: Duration,
}

impl Pace {
    pub(super) const PROTOCOL: Self = Self { refresh: REFRESH, info: INFO_TTL, index: INDEX_TTL };

    /// The clock of a test may pass months within a second, and no instance is killed there.
    pub(super) const SIMULATED: Self = Self {
        refresh: Duration::from_secs(24 * 3600),
        info: Duration::from_secs(72 * 3600),
        index: Duration::from_secs(288 * 3600),
    };
}
