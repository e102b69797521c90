//! Leases: of several instances of a service, one runs a singleton.

mod extract;
mod hold;
mod singleton;

pub use extract::Lease;
pub(crate) use hold::LeaseHold;
pub(crate) use singleton::Singleton;
