//! Errors of starting, changing and stopping schedules and threads.

use std::time::Duration;

use daebus_caller::contract::IntoFault;
use daebus_caller::wire::Fault;

/// Errors of [`Tasks`](crate::Tasks).
///
/// Returned by an action, it reaches the caller with its message and the code that each variant names. The reason of
/// [`Failed`](Self::Failed) is logged and not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TaskError {
    /// No schedule has this name. Code `unknown_task`.
    #[error("there is no schedule {name:?}; there is {known}")]
    UnknownSchedule {
        /// The name.
        name: String,
        /// The names there are, for people.
        known: String,
    },
    /// No thread has this name. Code `unknown_task`.
    #[error("there is no thread {name:?}; there is {known}")]
    UnknownThread {
        /// The name.
        name: String,
        /// The names there are, for people.
        known: String,
    },
    /// A run goes on, and its overlap rule is to skip. Code `task_running`.
    #[error("{name:?} is running, and its runs don't overlap")]
    Running {
        /// The schedule.
        name: String,
    },
    /// The run failed. Code `task_failed`.
    #[error("{name:?} failed: {reason}")]
    Failed {
        /// The schedule.
        name: String,
        /// What it returned, or how it panicked.
        reason: String,
    },
    /// A schedule can't be added. Code `bad_schedule`.
    #[error("{name:?} can't be scheduled: {reason}")]
    BadSchedule {
        /// The schedule.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is a schedule of this name. Code `bad_schedule`.
    #[error("there is a schedule {name:?} already; remove it first, or take another name")]
    NameTaken {
        /// The schedule.
        name: String,
    },
    /// Only schedules that were added at run time can be removed. Code `bad_schedule`.
    #[error("{name:?} is part of a blueprint and can't be removed; pause it")]
    NotAdded {
        /// The schedule.
        name: String,
    },
    /// The schedule was removed before the run that was asked for. Code `unknown_task`.
    #[error("{name:?} was removed")]
    Removed {
        /// The schedule.
        name: String,
    },
    /// The schedule runs by a cron expression or once, so it has no interval to change. Code `no_interval`.
    #[error("{name:?} has no interval to change")]
    NoInterval {
        /// The schedule.
        name: String,
    },
    /// The interval can't be kept. Code `no_interval`.
    #[error("{name:?}: {reason}")]
    BadInterval {
        /// The schedule.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The thread was asked to stop and hasn't; it still may. Code `task_running`.
    #[error("{name:?} was asked to stop and hasn't after {after:?}; does it look at `running` often enough?")]
    StillRunning {
        /// The thread.
        name: String,
        /// How long it was waited for: the service's drain time.
        after: Duration,
    },
    /// Another instance of the service runs this singleton. Code `not_holder`.
    #[error("{name:?} is a singleton, and this instance doesn't hold its lease")]
    NotHolder {
        /// The schedule.
        name: String,
    },
    /// The service isn't ready yet, and nothing runs before it is. Code `not_ready`.
    #[error("{name:?} can't run before the service is ready")]
    NotReady {
        /// The schedule or thread.
        name: String,
    },
    /// The service is stopping. Code `stopping`.
    #[error("{name:?} can't run any more: the service is stopping")]
    Stopping {
        /// The schedule or thread.
        name: String,
    },
}

impl TaskError {
    pub(crate) fn unknown_schedule<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Self {
        Self::UnknownSchedule { name: name.to_owned(), known: list(known) }
    }

    pub(crate) fn unknown_thread<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Self {
        Self::UnknownThread { name: name.to_owned(), known: list(known) }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::UnknownSchedule { .. } | Self::UnknownThread { .. } | Self::Removed { .. } => {
                "unknown_task"
            }
            Self::BadSchedule { .. } | Self::NameTaken { .. } | Self::NotAdded { .. } => "bad_schedule",
            Self::Running { .. } | Self::StillRunning { .. } => "task_running",
            Self::Failed { .. } => "task_failed",
            Self::NoInterval { .. } | Self::BadInterval { .. } => "no_interval",
            Self::NotHolder { .. } => "not_holder",
            Self::NotReady { .. } => "not_ready",
            Self::Stopping { .. } => "stopping",
        }
    }
}

impl IntoFault for TaskError {
    type Remote = Fault;

    fn into_fault(self) -> Fault {
        let error = match &self {
            Self::Failed { name, .. } => format!("{name:?} failed; the log has the reason"),
            other => other.to_string(),
        };
        Fault::new(self.code(), error)
    }

    fn internal_reason(&self) -> Option<String> {
        matches!(self, Self::Failed { .. }).then(|| self.to_string())
    }
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(|name| format!("{name:?}")).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
