use std::time::SystemTime;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

/// A schedule as it stands. Written as JSON its times are RFC 3339, in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ScheduleInfo {
    /// Its name.
    pub name: String,
    /// When it runs, in words: `every 3600s`, `cron "0 6 * * *"`.
    pub timing: String,
    /// When the next run is due, jitter not counted. `None` while it is paused or the service isn't ready.
    #[serde(serialize_with = "time")]
    pub next_run: Option<SystemTime>,
    /// When the last run began.
    #[serde(serialize_with = "time")]
    pub last_run: Option<SystemTime>,
    /// What went wrong in the last run that ended; `None` when nothing did.
    pub last_error: Option<String>,
    /// Whether it is paused.
    pub paused: bool,
    /// How many runs go on now.
    pub running: usize,
    /// How many runs have ended.
    pub runs: u64,
    /// How many of them failed.
    pub failures: u64,
    /// How many were left out, since the one before still went on.
    pub skipped: u64,
}

// serde hands the field over by reference.
#[allow(clippy::ref_option)]
fn time<S: Serializer>(time: &Option<SystemTime>, serializer: S) -> Result<S::Ok, S::Error> {
    let time = time.and_then(|time| Timestamp::try_from(time).ok());
    time.map(|time| time.to_string()).serialize(serializer)
}
