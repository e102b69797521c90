//! Background work: schedules, threads, and tasks that handlers spawn.

mod error;
mod handle;
mod schedule;
mod thread;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, error};

pub use error::TaskError;
pub use handle::{TaskEnded, TaskHandle};
pub use schedule::{Misfire, Overlap, Schedule, ScheduleInfo};
pub(crate) use schedule::{Scheduled, Schedules};
pub(crate) use thread::{AutoStart, Threaded, Threads};
pub use thread::{Restart, Running, ThreadInfo, ThreadOptions, on_thread};

use crate::handler::extract::Extract;
use crate::handler::kind::{Background, Kind};
use crate::handler::{Context, Endpoint, Failure, Handler};
use crate::runtime::{Panics, Shutdown, Workers};

/// Controls schedules and threads by name, and runs tasks in the background.
///
/// An argument of any handler. Outside of handlers, [`Service::tasks`](crate::Service::tasks) returns it.
///
/// ```
/// use daebus::prelude::*;
///
/// #[action("set_interval")]
/// async fn set_interval(
///     Payload(seconds): Payload<u64>,
///     tasks: Tasks,
/// ) -> Result<(), daebus::TaskError> {
///     tasks.set_interval("cleanup", Duration::from_secs(seconds))
/// }
///
/// #[action("remind_me")]
/// async fn remind_me(tasks: Tasks, broadcast: Broadcast) {
///     tasks.after(Duration::from_secs(10), async move {
///         let _ = broadcast
///             .send("reminders", json!({"text": "ten seconds are over"}))
///             .await;
///     });
/// }
/// ```
#[derive(Clone)]
pub struct Tasks {
    schedules: Arc<Schedules>,
    threads: Arc<Threads>,
    workers: Workers,
    shutdown: Shutdown,
    panics: Panics,
}

impl Tasks {
    pub(crate) fn new(
        schedules: Arc<Schedules>,
        threads: Arc<Threads>,
        workers: Workers,
        shutdown: Shutdown,
        panics: Panics,
    ) -> Self {
        Self { schedules, threads, workers, shutdown, panics }
    }

    /// Returns the state of every schedule, sorted by name.
    pub fn schedules(&self) -> Vec<ScheduleInfo> {
        self.schedules.list()
    }

    /// Returns the state of every thread, sorted by name.
    pub fn threads(&self) -> Vec<ThreadInfo> {
        self.threads.list()
    }

    /// Adds a schedule that runs `handler` until the schedule is [removed](Self::unschedule) or its last run has ended. A
    /// schedule that is added in `on_start` begins once the service is ready.
    ///
    /// The handler takes the arguments of a background handler and returns `()`, [`Json`](crate::Json) or a `Result`. At most
    /// 10,000 added schedules may exist at a time. They are not persisted.
    ///
    /// ```
    /// use std::time::SystemTime;
    ///
    /// use daebus::Schedule;
    /// use daebus::prelude::*;
    ///
    /// #[action("remind_me_tomorrow")]
    /// async fn remind_me_tomorrow(
    ///     Payload(text): Payload<String>,
    ///     tasks: Tasks,
    /// ) -> Result<(), daebus::TaskError> {
    ///     let tomorrow = SystemTime::now() + Duration::from_secs(86_400);
    ///     let name = format!("remind of {text}");
    ///     tasks.schedule(
    ///         &name,
    ///         Schedule::at(tomorrow),
    ///         move |broadcast: Broadcast| {
    ///             let text = text.clone();
    ///             async move {
    ///                 broadcast
    ///                     .send("reminders", &text)
    ///                     .await
    ///                     .map(drop)
    ///                     .map_err(BoxError::from)
    ///             }
    ///         },
    ///     )
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`TaskError::NameTaken`] if a schedule of this name exists, [`TaskError::BadSchedule`] if the schedule or its
    /// name is invalid or the handler takes a state that the application doesn't have, and [`TaskError::Stopping`] if the
    /// service is stopping.
    #[track_caller]
    pub fn schedule<Args, H: Handler<Background, Args>>(
        &self,
        name: &str,
        schedule: Schedule,
        handler: H,
    ) -> Result<(), TaskError> {
        self.schedules.add(name, schedule, Endpoint::of(handler))
    }

    /// Removes a schedule that [`schedule`](Self::schedule) added. A run in progress continues to its end.
    ///
    /// # Errors
    ///
    /// Returns [`TaskError::UnknownSchedule`] if no schedule has this name, and [`TaskError::NotAdded`] if it is part of a
    /// blueprint.
    pub fn unschedule(&self, name: &str) -> Result<(), TaskError> {
        self.schedules.remove(name)
    }

    /// Changes the interval of a schedule. The next run is due one new interval from now. The change is not persisted.
    ///
    /// # Errors
    ///
    /// Returns [`TaskError::UnknownSchedule`] if no schedule has this name, [`TaskError::NoInterval`] if the schedule has no
    /// interval, and [`TaskError::BadInterval`] if the interval isn't between 1 ms and ten years or isn't longer than the
    /// jitter of the schedule.
    pub fn set_interval(&self, name: &str, interval: Duration) -> Result<(), TaskError> {
        self.schedules.set_interval(name, interval)
    }

    /// Pauses a schedule until [`resume`](Self::resume). A run in progress continues to its end, and
    /// [`run_now`](Self::run_now) still runs the schedule.
    ///
    /// # Errors
    ///
    /// Returns [`TaskError::UnknownSchedule`] if no schedule has this name.
    pub fn pause(&self, name: &str) -> Result<(), TaskError> {
        self.schedules.set_paused(name, true)
    }

    /// Resumes a paused schedule. The times of its runs don't shift; runs that were due during the pause are skipped.
    ///
    /// # Errors
    ///
    /// Returns [`TaskError::UnknownSchedule`] if no schedule has this name.
    pub fn resume(&self, name: &str) -> Result<(), TaskError> {
        self.schedules.set_paused(name, false)
    }

    /// Runs a schedule now, even if it is paused, and waits until the run has ended. The times of its other runs don't change.
    /// To run it without waiting, [`spawn`](Self::spawn) this future.
    ///
    /// # Errors
    ///
    /// Returns [`TaskError::UnknownSchedule`] if no schedule has this name, [`TaskError::Failed`] if the run fails,
    /// [`TaskError::Running`] if a run is in progress and the schedule has [`Overlap::Skip`], [`TaskError::NotHolder`] if
    /// another instance runs this singleton, and [`TaskError::NotReady`], [`TaskError::Removed`] or [`TaskError::Stopping`] if
    /// the schedule doesn't run yet or any more.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped after its first poll, the run still takes place.
    pub async fn run_now(&self, name: &str) -> Result<(), TaskError> {
        let ended = self.schedules.request(name)?;
        // The sender was dropped: the run was cut off when the service stopped.
        ended.await.unwrap_or_else(|_| Err(TaskError::Stopping { name: name.to_owned() }))
    }

    /// Starts a thread. Does nothing if the thread is running.
    ///
    /// # Errors
    ///
    /// Returns [`TaskError::UnknownThread`] if no thread has this name, and [`TaskError::Stopping`] if the service is stopping.
    pub fn start(&self, name: &str) -> Result<(), TaskError> {
        self.threads.start(name)
    }

    /// Requests a thread to stop and waits until it has ended. Returns at once if the thread isn't running.
    ///
    /// # Errors
    ///
    /// Returns [`TaskError::UnknownThread`] if no thread has this name, and [`TaskError::StillRunning`] if the thread doesn't
    /// end within the drain time of the service.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped after its first poll, the thread is still requested to stop.
    pub async fn stop(&self, name: &str) -> Result<(), TaskError> {
        self.threads.stop(name).await
    }

    /// Spawns a future as a task of the service. When the service stops, it cancels the task at its next await point and waits
    /// for it.
    ///
    /// A panic in the future is logged and returned as [`TaskEnded::Panicked`] by the handle.
    pub fn spawn<F>(&self, future: F) -> TaskHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let (sender, ended) = oneshot::channel();
        let abort = CancellationToken::new();
        let (aborted, shutdown, panics) = (abort.clone(), self.shutdown.clone(), self.panics.clone());
        let task = async move {
            let outcome = tokio::select! {
                biased;
                () = shutdown.requested() => Err(TaskEnded::Cancelled),
                () = aborted.cancelled() => Err(TaskEnded::Cancelled),
                outcome = panics.contain("a spawned task", future) => outcome.map_err(|panic| {
                    error!(reason = %panic, "a spawned task panicked");
                    TaskEnded::Panicked(panic.to_string())
                }),
            };
            // The handle may have been dropped.
            let _ = sender.send(outcome);
        };
        self.workers.spawn(task.in_current_span());
        TaskHandle::new(ended, abort)
    }

    /// Spawns a future that begins after a delay. As with [`spawn`](Self::spawn), a service that stops cancels the task and
    /// doesn't wait for the delay.
    pub fn after<F>(&self, delay: Duration, future: F) -> TaskHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.spawn(async move {
            tokio::time::sleep(delay).await;
            future.await
        })
    }
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tasks")
            .field("schedules", &self.schedules())
            .field("threads", &self.threads())
            .finish_non_exhaustive()
    }
}

impl<K: Kind> Extract<K> for Tasks {
    async fn extract(cx: &mut Context) -> Result<Self, Failure> {
        let missing = || Failure::internal("this service provides no tasks");
        cx.core.provided.get::<Self>().cloned().ok_or_else(missing)
    }
}
