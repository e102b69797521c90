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

/// Schedules and threads by name, and work beside the handlers. An argument of any handler; from outside
/// [`Service::tasks`](crate::Service::tasks).
///
/// ```
/// use daebus::prelude::*;
///
/// #[action("set_interval")]
/// async fn set_interval(Payload(seconds): Payload<u64>, tasks: Tasks) -> Result<(), daebus::TaskError> {
///     tasks.set_interval("cleanup", Duration::from_secs(seconds))
/// }
///
/// #[action("remind_me")]
/// async fn remind_me(tasks: Tasks, broadcast: Broadcast) {
///     tasks.after(Duration::from_secs(10), async move {
///         let _ = broadcast.send("reminders", json!({"text": "ten seconds are over"})).await;
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

    /// Every schedule as it stands, by name.
    pub fn schedules(&self) -> Vec<ScheduleInfo> {
        self.schedules.list()
    }

    /// Every thread as it stands, by name.
    pub fn threads(&self) -> Vec<ThreadInfo> {
        self.threads.list()
    }

    /// Adds a schedule, which runs `handler` until it is [removed](Self::unschedule) or its last run has ended. In `on_start`
    /// it begins once the service is ready.
    ///
    /// The handler takes what other background handlers take, and returns `()`, [`Json`](crate::Json) or a `Result`. A
    /// service may have 10,000 schedules that were added. They aren't kept when the process ends.
    ///
    /// ```
    /// use std::time::SystemTime;
    ///
    /// use daebus::Schedule;
    /// use daebus::prelude::*;
    ///
    /// #[action("remind_me_tomorrow")]
    /// async fn remind_me_tomorrow(Payload(text): Payload<String>, tasks: Tasks) -> Result<(), daebus::TaskError> {
    ///     let tomorrow = SystemTime::now() + Duration::from_secs(86_400);
    ///     let name = format!("remind of {text}");
    ///     tasks.schedule(&name, Schedule::at(tomorrow), move |broadcast: Broadcast| {
    ///         let text = text.clone();
    ///         async move { broadcast.send("reminders", &text).await.map(drop).map_err(BoxError::from) }
    ///     })
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if there is a schedule of this name, if the schedule or its name can't be used, if the handler
    /// takes a state that the application doesn't have, or if the service is stopping.
    #[track_caller]
    pub fn schedule<Args, H: Handler<Background, Args>>(
        &self,
        name: &str,
        schedule: Schedule,
        handler: H,
    ) -> Result<(), TaskError> {
        self.schedules.add(name, schedule, Endpoint::of(handler))
    }

    /// Removes a schedule that [`schedule`](Self::schedule) added. A run that goes on is left to end.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no such schedule, or if it is part of a blueprint.
    pub fn unschedule(&self, name: &str) -> Result<(), TaskError> {
        self.schedules.remove(name)
    }

    /// Changes a schedule's interval; the next run comes one interval from now. It holds until the process ends.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no such schedule, if it has no interval, or if the interval isn't between a millisecond and
    /// ten years or isn't longer than the schedule's jitter.
    pub fn set_interval(&self, name: &str, interval: Duration) -> Result<(), TaskError> {
        self.schedules.set_interval(name, interval)
    }

    /// Lets no run begin by the clock until [`resume`](Self::resume); one that goes on is left to end.
    ///
    /// # Errors
    ///
    /// When there is no such schedule.
    pub fn pause(&self, name: &str) -> Result<(), TaskError> {
        self.schedules.set_paused(name, true)
    }

    /// Ends a pause. The runs keep the step they had; what was due meanwhile is left out.
    ///
    /// # Errors
    ///
    /// When there is no such schedule.
    pub fn resume(&self, name: &str) -> Result<(), TaskError> {
        self.schedules.set_paused(name, false)
    }

    /// Runs a schedule now, paused or not, and waits until the run has ended. Given up on, the run goes on; to not
    /// wait at all, [`spawn`](Self::spawn) this. The runs by the clock come as they would have.
    ///
    /// # Errors
    ///
    /// When there is no such schedule, the run fails, its overlap rule is `skip` and a run goes on, or the service
    /// isn't ready yet or is stopping.
    pub async fn run_now(&self, name: &str) -> Result<(), TaskError> {
        let ended = self.schedules.request(name)?;
        // Without a word: the run was cut off when the service stopped.
        ended.await.unwrap_or_else(|_| Err(TaskError::Stopping { name: name.to_owned() }))
    }

    /// Starts a thread; one that runs already goes on.
    ///
    /// # Errors
    ///
    /// When there is no such thread, or the service is stopping.
    pub fn start(&self, name: &str) -> Result<(), TaskError> {
        self.threads.start(name)
    }

    /// Tells a thread to stop and waits until it has; one that doesn't run is left alone.
    ///
    /// # Errors
    ///
    /// When there is no such thread, or it hasn't stopped within the service's drain time.
    pub async fn stop(&self, name: &str) -> Result<(), TaskError> {
        self.threads.stop(name).await
    }

    /// Runs a future beside the handlers. When the service stops it is cancelled, at its next await, and waited for.
    ///
    /// A panic in it is logged, and harms nobody else.
    pub fn spawn<F>(&self, future: F) -> TaskHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let (tell, ended) = oneshot::channel();
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
            // Nobody may be waiting.
            let _ = tell.send(outcome);
        };
        self.workers.spawn(task.in_current_span());
        TaskHandle::new(ended, abort)
    }

    /// Runs a future once, after a delay. It is [`spawn`](Self::spawn)ed: a service that stops doesn't wait for the
    /// delay.
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
        let missing = || Failure::internal("this service keeps no tasks");
        cx.core.provided.get::<Self>().cloned().ok_or_else(missing)
    }
}
