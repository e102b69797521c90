//! What crosses crates: conformance, faults, interop, ui.

mod redis_server;

pub use redis_server::RedisServer;
