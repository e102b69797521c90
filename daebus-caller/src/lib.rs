//! Calling.

pub mod bus;
pub mod caller;
pub mod contract;
pub mod error;
pub mod wire;

/// The Redis driver, for what [`Bus::redis`] gives.
pub use fred;

pub use bus::Bus;
pub use caller::{Call, Caller, Job, Listening, Retry, Update, Updates};
pub use error::{BusError, CallError};
pub use wire::Fault;
