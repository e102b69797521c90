//! Calling.

pub mod contract;
pub mod error;
pub mod wire;

pub use error::{BusError, CallError};
pub use wire::Fault;
