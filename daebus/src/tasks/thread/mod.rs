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

/// How a thread is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "options do nothing by themselves"]
pub struct ThreadOptions {
    pub(crate) auto_start: bool,
    pub(crate) restart: Restart,
}

/// What happens when a thread ends though nobody asked it to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Restart {
    /// The log says so, and it stays ended until [`Tasks::start`](crate::Tasks::start).
    #[default]
    Never,
    /// After an error or a panic it is started again: after a second, then two, four and so on up to a minute. Having
    /// run for a minute makes it the first failure again.
    OnFailure,
}

impl ThreadOptions {
    /// Started with the service, and not again.
    pub const fn new() -> Self {
        Self { auto_start: true, restart: Restart::Never }
    }

    /// Whether it starts with the service; else [`Tasks::start`](crate::Tasks::start) does it.
    pub const fn auto_start(mut self, auto_start: bool) -> Self {
        self.auto_start = auto_start;
        self
    }

    /// What happens when it ends though nobody asked it to.
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

/// A handler that runs for as long as it is to.
#[derive(Debug, Clone)]
pub(crate) struct Threaded {
    pub(crate) options: ThreadOptions,
    pub(crate) endpoint: Endpoint,
}
