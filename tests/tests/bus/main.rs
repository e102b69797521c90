//! The buses: one list of statements for each, failures of the server, the caller and the cache on a real Redis, and the
//! wire format.

mod cache_redis;
mod caller_redis;
mod conformance;
mod faults;
mod names;
mod wire_vectors;
