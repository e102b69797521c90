//! Threads: handlers that run as long as the service, and the supervisor that starts and stops them.

mod control;
mod info;
mod os_thread;
mod running;
mod supervise;
mod threads;

use std::fmt;

pub use info::ThreadInfo;
pub use os_thread::on_thread;
pub use running::Running;
pub(crate) use threads::{AutoStart, Threads};

use crate::handler::Endpoint;

/// Options of a thread that [`Blueprint::thread`](crate::Blueprint::thread) adds.
///
/// ```
/// use daebus::prelude::*;
/// use daebus::{Restart, ThreadOptions};
///
/// async fn poll(running: Running) -> Result<(), BoxError> {
///     while running.sleep(Duration::from_secs(5)).await { /* … */ }
///     Ok(())
/// }
///
/// let options = ThreadOptions::new().restart(Restart::OnFailure);
/// let polling = Blueprint::new("polling").thread("poller", options, poll);
/// # let _ = polling;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "options do nothing by themselves"]
pub struct ThreadOptions {
    pub(crate) auto_start: bool,
    pub(crate) restart: Restart,
}

/// What happens if a thread ends without a request to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Restart {
    /// The end is logged, and the thread doesn't run again until [`Tasks::start`](crate::Tasks::start).
    #[default]
    Never,
    /// After an error or a panic, the thread is restarted with exponential backoff: after 1 s, then 2 s, 4 s and so on up to
    /// 60 s. The delay is reset once the thread has run for 60 s.
    OnFailure,
}

impl ThreadOptions {
    /// Returns the default options: the thread starts with the service and is not restarted.
    pub const fn new() -> Self {
        Self { auto_start: true, restart: Restart::Never }
    }

    /// Sets whether the thread starts with the service. If not, [`Tasks::start`](crate::Tasks::start) starts it. Defaults to
    /// `true`.
    pub const fn auto_start(mut self, auto_start: bool) -> Self {
        self.auto_start = auto_start;
        self
    }

    /// Sets what happens if the thread ends without a request to stop. Defaults to [`Restart::Never`].
    pub const fn restart(mut self, restart: Restart) -> Self {
        self.restart = restart;
        self
    }
}

impl Default for ThreadOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for ThreadOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.auto_start { "started with the service" } else { "started on request" })?;
        match self.restart {
            Restart::Never => Ok(()),
            Restart::OnFailure => f.write_str(", restarted on failure"),
        }
    }
}

/// A handler that runs as a thread.
#[derive(Debug, Clone)]
pub(crate) struct Threaded {
    pub(crate) options: ThreadOptions,
    pub(crate) endpoint: Endpoint,
}
