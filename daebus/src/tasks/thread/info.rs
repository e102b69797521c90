use serde::Serialize;

/// A thread as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ThreadInfo {
    /// Its name.
    pub name: String,
    /// Whether it runs now.
    pub running: bool,
    /// Whether it is to run: it was started and nobody stopped it. With `restart = "on_failure"` it can be waiting for
    /// its next try.
    pub wanted: bool,
    /// How often it was started again after a failure.
    pub restarts: u64,
    /// Why it ended the last time nobody had asked it to.
    pub last_error: Option<String>,
}
