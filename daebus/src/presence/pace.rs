//! How often the presence is refreshed.

use std::time::Duration;

use daebus_caller::wire::presence::{INDEX_TTL, INFO_TTL, REFRESH};

/// How often the presence is refreshed, and how long its keys live without.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) refresh: Duration,
    pub(super) info: Duration,
    pub(super) index: Duration,
}

impl Pace {
    pub(super) const PROTOCOL: Self = Self { refresh: REFRESH, info: INFO_TTL, index: INDEX_TTL };

    /// On the clock of a test, which passes months within a second, and on which no instance is killed.
    pub(super) const SIMULATED: Self = Self {
        refresh: Duration::from_secs(24 * 3600),
        info: Duration::from_secs(72 * 3600),
        index: Duration::from_secs(288 * 3600),
    };
}
