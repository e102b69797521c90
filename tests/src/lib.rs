//! What crosses crates: conformance, faults, interop, a browser, ui. Here is what these tests share.

mod browser;
mod node;
mod process;
mod programs;
mod proxy;
mod python;
mod redis_server;

pub use browser::{Browser, Page};
pub use node::node;
pub use process::Process;
pub use programs::{example, profile_dir, workspace};
pub use proxy::{Direction, Proxy};
pub use python::{PythonCaller, PythonService, python};
pub use redis_server::RedisServer;

pub use daebus_tests_support::{PATIENCE, eventually, next, until, within};
