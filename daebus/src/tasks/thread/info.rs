use serde::Serialize;

/// The state of a thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ThreadInfo {
    /// The name.
    pub name: String,
    /// Whether the thread is running.
    pub running: bool,
    /// Whether the thread should run: it was started and not stopped. With `restart = "on_failure"`, a thread that should run
    /// may be waiting for its restart.
    pub wanted: bool,
    /// The number of restarts after a failure.
    pub restarts: u64,
    /// The error with which the thread last ended without a request to stop. `None` if it returned normally.
    pub last_error: Option<String>,
}
