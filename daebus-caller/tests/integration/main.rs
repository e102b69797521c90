//! The public face of the crate, on the in-process bus.

mod blocking;
mod caller;
mod delivery;
mod instances;
mod masked;
mod odd_bus;
mod odd_buses;
mod queue;
mod suite;
mod wire_properties;
