use std::time::SystemTime;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

/// The state of a schedule. Serializes times as RFC 3339, in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ScheduleInfo {
    /// The name.
    pub name: String,
    /// A description of when the schedule runs: `every 3600s`, `cron "0 6 * * *"`.
    pub timing: String,
    /// When the next run is due, without jitter. `None` while the schedule is paused, before the service is ready, and if no
    /// further run is due.
    #[serde(serialize_with = "time")]
    pub next_run: Option<SystemTime>,
    /// When the last run began.
    #[serde(serialize_with = "time")]
    pub last_run: Option<SystemTime>,
    /// The error of the last run that ended. `None` if that run succeeded.
    pub last_error: Option<String>,
    /// Whether the schedule is paused.
    pub paused: bool,
    /// The number of runs in progress.
    pub running: usize,
    /// The number of runs that have ended, failed ones included.
    pub runs: u64,
    /// The number of runs that have failed.
    pub failures: u64,
    /// The number of runs that were skipped because the previous run had not ended.
    pub skipped: u64,
}

// serde passes the field by reference.
#[allow(clippy::ref_option)]
fn time<S: Serializer>(time: &Option<SystemTime>, serializer: S) -> Result<S::Ok, S::Error> {
    let time = time.and_then(|time| Timestamp::try_from(time).ok());
    time.map(|time| time.to_string()).serialize(serializer)
}
