//! The public face of the crate, on the in-process bus.

mod blocking;
mod caller;
mod odd_buses;
mod queue;
mod suite;
mod wire_properties;
