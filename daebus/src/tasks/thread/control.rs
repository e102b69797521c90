//! What a thread's supervisor and those who start and stop it share.

use std::time::Duration;

use tokio::sync::watch;

use super::info::ThreadInfo;
use super::running::Running;
use crate::tasks::error::TaskError;

/// What a thread's supervisor and those who start and stop it share.
#[derive(Debug)]
pub(super) struct ThreadControl {
    name: &'static str,
    state: watch::Sender<ThreadState>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct ThreadState {
    /// Whether it is to run.
    pub(super) wanted: bool,
    /// The run that goes on.
    current: Option<Running>,
    /// How many runs have ended.
    ended: u64,
    restarts: u64,
    last_error: Option<String>,
    /// The service is stopping: nothing is started any more.
    closed: bool,
}

impl ThreadControl {
    pub(super) fn new(name: &'static str, wanted: bool) -> Self {
        Self { name, state: watch::Sender::new(ThreadState { wanted, ..ThreadState::default() }) }
    }

    /// A thread that runs already goes on.
    pub(super) fn start(&self) -> Result<(), TaskError> {
        if self.state.borrow().closed {
            return Err(TaskError::Stopping { name: self.name.to_owned() });
        }
        self.state.send_modify(|state| state.wanted = true);
        Ok(())
    }

    /// Tells it to stop, and waits until it has.
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

    /// Waits until it is to run, or not to.
    pub(super) async fn wanted(&self, wanted: bool) {
        // The sender is ours, so the only way this ends is with the change.
        let _ = self.state.subscribe().wait_for(|state| state.wanted == wanted).await;
    }

    /// A run begins, unless somebody changed their mind in between.
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

    /// It ended though nobody had asked it to; `again` says whether it is started again.
    pub(super) fn fell(&self, error: Option<String>, again: bool) {
        self.state.send_modify(|state| {
            state.last_error = error;
            state.restarts += u64::from(again);
            state.wanted &= again;
        });
    }

    /// Nothing is started from now on, and what runs is told to stop.
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

/// A run that goes on, until this is dropped.
#[derive(Debug)]
pub(super) struct ThreadRun<'a> {
    control: &'a ThreadControl,
    pub(super) running: Running,
}

impl Drop for ThreadRun<'_> {
    fn drop(&mut self) {
        // A task that was cut off may have handed its `Running` on.
        self.running.stop();
        self.control.state.send_modify(|state| {
            state.current = None;
            state.ended += 1;
        });
    }
}
