//! Leases: only one instance of a service runs a singleton.

mod extract;
mod hold;
mod singleton;

pub use extract::Lease;
pub(crate) use hold::LeaseHold;
pub(crate) use singleton::Singleton;
