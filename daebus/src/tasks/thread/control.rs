//! The state that the supervisor of a thread shares with [`Tasks`](crate::Tasks).

use std::time::Duration;

use tokio::sync::watch;

use super::info::ThreadInfo;
use super::running::Running;
use crate::tasks::error::TaskError;

/// The state that the supervisor of a thread shares with [`Tasks`](crate::Tasks).
#[derive(Debug)]
pub(super) struct ThreadControl {
    name: &'static str,
    state: watch::Sender<ThreadState>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct ThreadState {
    /// Whether the thread should run.
    pub(super) wanted: bool,
    /// The run in progress.
    current: Option<Running>,
    /// The number of runs that have ended.
    ended: u64,
    restarts: u64,
    last_error: Option<String>,
    /// Whether the service is stopping, so that no run begins.
    closed: bool,
}

impl ThreadControl {
    pub(super) fn new(name: &'static str, wanted: bool) -> Self {
        Self { name, state: watch::Sender::new(ThreadState { wanted, ..ThreadState::default() }) }
    }

    /// Does nothing if the thread is running.
    pub(super) fn start(&self) -> Result<(), TaskError> {
        if self.state.borrow().closed {
            return Err(TaskError::Stopping { name: self.name.to_owned() });
        }
        self.state.send_modify(|state| state.wanted = true);
        Ok(())
    }

    /// Requests the thread to stop, and waits until it has ended.
    pub(super) async fn stop(&self, patience: Duration) -> Result<(), TaskError> {
        let mut watched = self.state.subscribe();
        self.state.send_modify(|state| {
            state.wanted = false;
            if let Some(current) = &state.current {
                current.stop();
            }
        });
        let before = watched.borrow_and_update().ended;
        let over = watched.wait_for(|state| state.current.is_none() || state.ended != before);
        match tokio::time::timeout(patience, over).await {
            Ok(_) => Ok(()),
            Err(_) => Err(TaskError::StillRunning { name: self.name.to_owned(), after: patience }),
        }
    }

    pub(super) fn info(&self) -> ThreadInfo {
        let state = self.state.borrow();
        ThreadInfo {
            name: self.name.to_owned(),
            running: state.current.is_some(),
            wanted: state.wanted,
            restarts: state.restarts,
            last_error: state.last_error.clone(),
        }
    }

    /// Waits until the thread should run, or should not.
    pub(super) async fn wanted(&self, wanted: bool) {
        // `self` owns the sender, so waiting can't fail.
        let _ = self.state.subscribe().wait_for(|state| state.wanted == wanted).await;
    }

    /// Begins a run, unless the thread was stopped in the meantime.
    pub(super) fn begin(&self) -> Option<ThreadRun<'_>> {
        let running = Running::default();
        let begun = self.state.send_if_modified(|state| {
            if state.wanted && !state.closed {
                state.current = Some(running.clone());
            }
            state.current.is_some()
        });
        begun.then_some(ThreadRun { control: self, running })
    }

    /// Notes that the thread ended without a request to stop. `again`: it is restarted.
    pub(super) fn fell(&self, error: Option<String>, again: bool) {
        self.state.send_modify(|state| {
            state.last_error = error;
            state.restarts += u64::from(again);
            state.wanted &= again;
        });
    }

    /// Requests the thread to stop, and prevents further runs.
    pub(super) fn close(&self) {
        self.state.send_modify(|state| {
            state.closed = true;
            state.wanted = false;
            if let Some(current) = &state.current {
                current.stop();
            }
        });
    }
}

/// A run in progress. Dropped when the run ends.
#[derive(Debug)]
pub(super) struct ThreadRun<'a> {
    control: &'a ThreadControl,
    pub(super) running: Running,
}

impl Drop for ThreadRun<'_> {
    fn drop(&mut self) {
        // A task that was cut off may have given a clone of its `Running` to another task.
        self.running.stop();
        self.control.state.send_modify(|state| {
            state.current = None;
            state.ended += 1;
        });
    }
}
