//! Calling.

pub mod bus;
pub mod contract;
pub mod error;
pub mod wire;

/// The Redis driver, for what [`bus::Bus::redis`] gives.
pub use fred;

pub use error::{BusError, CallError};
pub use wire::Fault;
