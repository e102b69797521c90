//! Addresses, clock, counts of episodes, task tracking, shutdown, readiness, contained panics, logging, written bytes.

mod address;
mod clock;
mod episode_count;
mod host;
mod log_fields;
mod log_on_change;
pub mod logging;
mod panics;
mod readiness;
mod run_on;
mod shutdown;
mod workers;
mod written;

pub(crate) use address::address;
pub(crate) use clock::Clock;
pub(crate) use episode_count::EpisodeCount;
pub(crate) use host::host_name;
pub(crate) use log_on_change::LogOnChange;
pub(crate) use panics::{Panics, panic_message};
pub(crate) use readiness::Readiness;
pub(crate) use run_on::RunOn;
pub use shutdown::Shutdown;
pub(crate) use workers::Workers;
pub(crate) use written::{BytesWritten, CountWritten};
