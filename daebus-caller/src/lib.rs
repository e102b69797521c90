//! Calling.

pub mod bus;
pub mod caller;
pub mod contract;
pub mod error;
pub mod wire;

#[doc(hidden)]
pub mod __private;

/// The Redis driver, for what [`bus::Bus::redis`] gives.
pub use fred;

extern crate self as daebus_caller;

pub use bus::Bus;
pub use daebus_macros::{Fault, contract};
#[doc(hidden)]
pub use caller::Link;
pub use caller::{Call, Caller, Job, Listening, Retry, Update, Updates, deadline};
pub use error::{BusError, CallError};
pub use wire::Fault;

/// Any error, as handlers return it that don't say more: it reaches the caller as `internal`.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
