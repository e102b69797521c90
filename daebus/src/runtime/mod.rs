//! Mechanisms without knowledge of handlers: addresses, clock, task tracking, shutdown, readiness, panics, logging.

mod address;
mod clock;
mod host;
mod log_on_change;
pub mod logging;
mod panics;
mod readiness;
mod shutdown;
mod workers;
mod written;

pub(crate) use address::address;
pub(crate) use clock::Clock;
pub(crate) use host::host_name;
pub(crate) use log_on_change::LogOnChange;
pub(crate) use panics::{Panics, panic_message};
pub(crate) use readiness::Readiness;
pub use shutdown::Shutdown;
pub(crate) use workers::Workers;
pub(crate) use written::{BytesWritten, CountWritten};
