//! The state that the task of a schedule shares with [`Tasks`](crate::Tasks).

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

use super::info::ScheduleInfo;
use super::timetable::Timetable;
use super::{Overlap, Scheduled, check_interval};
use crate::runtime::Clock;
use crate::tasks::error::TaskError;

/// Receives the outcome of a requested run.
pub(crate) type Ended = oneshot::Receiver<Result<(), TaskError>>;
pub(super) type Waiter = oneshot::Sender<Result<(), TaskError>>;

/// The state that the task of a schedule shares with [`Tasks`](crate::Tasks).
#[derive(Debug)]
pub(super) struct ScheduleControl {
    name: Arc<str>,
    overlap: Overlap,
    has_interval: bool,
    jitter: Duration,
    state: Mutex<ScheduleState>,
    /// Wakes the task of the schedule before the next run is due.
    pub(super) changed: Notify,
    /// Cancelled when the schedule is removed.
    pub(super) removed: CancellationToken,
}

#[derive(Debug)]
struct ScheduleState {
    phase: Phase,
    timing: String,
    paused: bool,
    new_interval: Option<Duration>,
    requests: Vec<Waiter>,
    /// Whether a run waits for the previous one to end.
    waiting: bool,
    /// The requests that wait for the outcome of the waiting run.
    waiters: Vec<Waiter>,
    running: usize,
    runs: u64,
    failures: u64,
    skipped: u64,
    next_run: Option<SystemTime>,
    last_run: Option<SystemTime>,
    last_error: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Before,
    Open,
    Over,
}

impl ScheduleControl {
    pub(super) fn new(name: Arc<str>, entry: &Scheduled) -> Self {
        let state = ScheduleState {
            phase: Phase::Before,
            timing: entry.schedule.to_string(),
            paused: false,
            new_interval: None,
            requests: Vec::new(),
            waiting: false,
            waiters: Vec::new(),
            running: 0,
            runs: 0,
            failures: 0,
            skipped: 0,
            next_run: None,
            last_run: None,
            last_error: None,
        };
        Self {
            name,
            overlap: entry.schedule.overlap_rule(),
            has_interval: matches!(entry.timetable, Timetable::Every(_)),
            jitter: entry.schedule.most_jitter(),
            state: Mutex::new(state),
            changed: Notify::new(),
            removed: CancellationToken::new(),
        }
    }

    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(super) fn set_interval(&self, interval: Duration) -> Result<(), TaskError> {
        let name = self.name.to_string();
        if !self.has_interval {
            return Err(TaskError::NoInterval { name });
        }
        check_interval(interval, self.jitter)
            .map_err(|mistake| TaskError::BadInterval { name, reason: mistake.to_string() })?;
        let mut state = self.state.lock();
        state.new_interval = Some(interval);
        state.timing = format!("every {interval:?}");
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// A pause drops the waiting run, unless that run was requested.
    pub(super) fn set_paused(&self, paused: bool) {
        let mut state = self.state.lock();
        state.paused = paused;
        state.waiting &= !paused || !state.waiters.is_empty();
    }

    /// Requests a run.
    pub(super) fn request(&self) -> Result<Ended, TaskError> {
        let (waiter, ended) = oneshot::channel();
        let mut state = self.state.lock();
        match state.phase {
            Phase::Before => return Err(TaskError::NotReady { name: self.name.to_string() }),
            Phase::Over => return Err(self.stopping()),
            Phase::Open => state.requests.push(waiter),
        }
        drop(state);
        self.changed.notify_one();
        Ok(ended)
    }

    pub(super) fn stopping(&self) -> TaskError {
        let name = self.name.to_string();
        if self.removed.is_cancelled() { TaskError::Removed { name } } else { TaskError::Stopping { name } }
    }

    pub(super) fn info(&self) -> ScheduleInfo {
        let state = self.state.lock();
        ScheduleInfo {
            name: self.name.to_string(),
            timing: state.timing.clone(),
            next_run: state.next_run.filter(|_| !state.paused && state.phase == Phase::Open),
            last_run: state.last_run,
            last_error: state.last_error.clone(),
            paused: state.paused,
            running: state.running,
            runs: state.runs,
            failures: state.failures,
            skipped: state.skipped,
        }
    }

    /// Returns whether no run is in progress, waits or is requested.
    pub(super) fn is_idle(&self) -> bool {
        let state = self.state.lock();
        state.running == 0 && !state.waiting && state.requests.is_empty()
    }

    pub(super) fn open(&self) {
        self.state.lock().phase = Phase::Open;
    }

    /// Ends the schedule: no further run begins, and pending requests fail.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.phase = Phase::Over;
        state.waiting = false;
        let mut waiters = std::mem::take(&mut state.requests);
        waiters.append(&mut state.waiters);
        drop(state);
        for waiter in waiters {
            // The receiver may have been dropped.
            let _ = waiter.send(Err(self.stopping()));
        }
    }

    pub(super) fn take_interval(&self) -> Option<Duration> {
        self.state.lock().new_interval.take()
    }

    pub(super) fn set_next(&self, next: Option<SystemTime>) {
        self.state.lock().next_run = next;
    }

    /// Returns whether a run that is due begins now. Otherwise it waits or is skipped, by the overlap rule.
    pub(super) fn due(&self) -> bool {
        let mut state = self.state.lock();
        if state.paused {
            return false;
        }
        match self.overlap {
            _ if state.running == 0 => true,
            Overlap::Allow => true,
            Overlap::Queue if !state.waiting => {
                state.waiting = true;
                false
            }
            Overlap::Queue | Overlap::Skip => {
                state.skipped += 1;
                tracing::debug!(schedule = &*self.name, "run skipped: the previous run has not ended");
                false
            }
        }
    }

    /// Returns the waiters of a requested or waiting run if that run can begin now.
    pub(super) fn asked(&self) -> Option<Vec<Waiter>> {
        let mut state = self.state.lock();
        if !state.requests.is_empty() && (state.running == 0 || self.overlap == Overlap::Allow) {
            return Some(std::mem::take(&mut state.requests));
        }
        let requests = std::mem::take(&mut state.requests);
        if self.overlap == Overlap::Queue {
            state.waiting |= !requests.is_empty();
            state.waiters.extend(requests);
            if state.waiting && state.running == 0 {
                state.waiting = false;
                return Some(std::mem::take(&mut state.waiters));
            }
            return None;
        }
        drop(state);
        for waiter in requests {
            let _ = waiter.send(Err(TaskError::Running { name: self.name.to_string() }));
        }
        None
    }

    /// Counts a run as running until the guard is dropped.
    pub(super) fn begin(self: &Arc<Self>, clock: &Clock) -> ScheduleRun {
        let mut state = self.state.lock();
        state.running += 1;
        state.last_run = Some(clock.now().into());
        ScheduleRun(Arc::clone(self))
    }

    pub(super) fn ended(&self, error: Option<String>) {
        let mut state = self.state.lock();
        state.runs += 1;
        state.failures += u64::from(error.is_some());
        state.last_error = error;
    }
}

/// A run in progress. Dropped when the run ends or is cut off.
#[derive(Debug)]
pub(super) struct ScheduleRun(Arc<ScheduleControl>);

impl Drop for ScheduleRun {
    fn drop(&mut self) {
        self.0.state.lock().running -= 1;
        // The next run may wait for this one.
        self.0.changed.notify_one();
    }
}
