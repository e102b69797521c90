//! Errors of operations on schedules and threads.

use std::time::Duration;

use daebus_caller::contract::IntoFault;
use daebus_caller::wire::Fault;

/// Errors of operations on [`Tasks`](crate::Tasks).
///
/// If an action returns this error, the caller receives its message and the code that is listed for each variant. The reason
/// of [`Failed`](Self::Failed) is logged and not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TaskError {
    /// No schedule has this name. Code `unknown_task`.
    #[error("no schedule is named {name:?}; existing schedules: {known}")]
    UnknownSchedule {
        /// The requested name.
        name: String,
        /// The names of the existing schedules, separated by commas.
        known: String,
    },
    /// No thread has this name. Code `unknown_task`.
    #[error("no thread is named {name:?}; existing threads: {known}")]
    UnknownThread {
        /// The requested name.
        name: String,
        /// The names of the existing threads, separated by commas.
        known: String,
    },
    /// A run is in progress, and the schedule has [`Overlap::Skip`](crate::Overlap::Skip). Code `task_running`.
    #[error("{name:?} is already running, and its runs may not overlap")]
    Running {
        /// The schedule.
        name: String,
    },
    /// The run failed. Code `task_failed`.
    #[error("{name:?} failed: {reason}")]
    Failed {
        /// The schedule.
        name: String,
        /// The error that the handler returned, or the message of its panic.
        reason: String,
    },
    /// The schedule is invalid and can't be added. Code `bad_schedule`.
    #[error("{name:?} can't be scheduled: {reason}")]
    BadSchedule {
        /// The schedule.
        name: String,
        /// Why the schedule is invalid.
        reason: String,
    },
    /// A schedule of this name exists already. Code `bad_schedule`.
    #[error("a schedule {name:?} exists already; remove it first, or use another name")]
    NameTaken {
        /// The schedule.
        name: String,
    },
    /// Only schedules that were added at run time can be removed. Code `bad_schedule`.
    #[error("{name:?} is part of a blueprint and can't be removed; pause it instead")]
    NotAdded {
        /// The schedule.
        name: String,
    },
    /// The schedule was removed before the requested run began. Code `unknown_task`.
    #[error("{name:?} was removed")]
    Removed {
        /// The schedule.
        name: String,
    },
    /// The schedule has a cron expression or runs once, so it has no interval to change. Code `no_interval`.
    #[error("{name:?} has no interval to change")]
    NoInterval {
        /// The schedule.
        name: String,
    },
    /// The interval is invalid. Code `no_interval`.
    #[error("{name:?}: {reason}")]
    BadInterval {
        /// The schedule.
        name: String,
        /// Why the interval is invalid.
        reason: String,
    },
    /// The thread did not stop within the drain time of the service. It may still stop later. Code `task_running`.
    #[error("{name:?} did not stop within {after:?}; check `running` more often in the thread")]
    StillRunning {
        /// The thread.
        name: String,
        /// The drain time of the service.
        after: Duration,
    },
    /// This instance doesn't hold the lease of the singleton. Code `not_holder`.
    #[error("{name:?} is a singleton, and this instance doesn't hold its lease")]
    NotHolder {
        /// The schedule.
        name: String,
    },
    /// The service isn't ready yet. Code `not_ready`.
    #[error("{name:?} can't run before the service is ready")]
    NotReady {
        /// The schedule or thread.
        name: String,
    },
    /// The service is stopping. Code `stopping`.
    #[error("{name:?} can't run: the service is stopping")]
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
