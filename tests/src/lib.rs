//! What crosses crates: conformance, faults, interop, a browser, ui. Here is what these tests share.

mod browser;
mod process;
mod programs;
mod python;
mod redis_server;

pub use browser::{Browser, Page};
pub use process::Process;
pub use programs::{example, profile_dir, workspace};
pub use python::{PythonCaller, PythonService, python};
pub use redis_server::RedisServer;

use std::time::{Duration, Instant};

/// How long anything in a test may take that should happen at once.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Asks until the answer is yes.
///
/// # Panics
///
/// When it isn't within [`PATIENCE`].
pub fn until(what: &str, mut answer: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !answer() {
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Asks, asynchronously, until the answer is yes.
///
/// # Panics
///
/// When it isn't within [`PATIENCE`].
pub async fn eventually(what: &str, mut answer: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !answer().await {
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
