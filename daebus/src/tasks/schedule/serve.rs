//! The task of a schedule: waits for due and requested runs, and starts them.

use std::sync::Arc;
use std::time::Duration;

use daebus_caller::__private::jitter as random_part;
use daebus_caller::deadline::Deadline;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::Scheduled;
use super::control::{ScheduleControl, Waiter};
use super::ticker::Ticker;
use crate::handler::{Context, Core, Invocation, Report};
use crate::lease::Singleton;
use crate::runtime::{LogOnChange, Workers};
use crate::tasks::error::TaskError;

/// Runs a schedule, which is open already, until the service is requested to stop or the schedule is removed. With `ends`, also
/// until its last run has ended.
pub(super) async fn serve(
    core: Arc<Core>,
    entry: Scheduled,
    control: Arc<ScheduleControl>,
    workers: Workers,
    ends: bool,
) {
    let mut ticker = Ticker::new(entry.timetable.clone(), &entry.schedule, core.clock.clone());
    let jitter = if core.clock.is_simulated() { Duration::ZERO } else { entry.schedule.most_jitter() };
    let shutdown = core.shutdown.clone();
    let immediate = entry.schedule.is_immediate();
    // The handler of an added schedule is named after its type, so the lease uses the name of the schedule.
    let singleton = entry.schedule.is_singleton().then(|| Singleton::start(&core, control.name(), &workers));
    let runner = Runner {
        core,
        entry: Arc::new(entry),
        control,
        workers,
        singleton,
        is_added: ends,
        log: Arc::default(),
    };
    let control = &runner.control;
    if let Some(singleton) = runner.singleton.as_ref().filter(|_| immediate) {
        tokio::select! {
            biased;
            () = shutdown.requested() => {}
            () = singleton.decided() => {}
        }
    }
    if immediate && control.due() {
        runner.begin(Vec::new());
    }
    // Set while a due run waits for its jitter to pass. Runs that become due in the meantime are merged into it.
    let mut delayed: Option<Instant> = None;
    loop {
        control.set_next(ticker.next());
        if ends && ticker.is_over() && delayed.is_none() && control.is_idle() {
            break;
        }
        tokio::select! {
            biased;
            () = shutdown.requested() => break,
            () = control.removed.cancelled() => break,
            () = control.changed.notified() => {
                if let Some(interval) = control.take_interval() {
                    ticker.set_interval(interval);
                }
                while let Some(waiters) = control.asked() {
                    runner.begin(waiters);
                }
            }
            () = until(delayed) => {
                delayed = None;
                if control.due() {
                    runner.begin(Vec::new());
                }
            }
            () = ticker.tick() => {
                if !jitter.is_zero() {
                    delayed = delayed.or_else(|| Some(Deadline::after(random_part(jitter)).instant()));
                } else if control.due() {
                    runner.begin(Vec::new());
                }
            }
        }
    }
    control.close();
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Starts the runs of one schedule.
struct Runner {
    core: Arc<Core>,
    entry: Arc<Scheduled>,
    control: Arc<ScheduleControl>,
    workers: Workers,
    singleton: Option<Singleton>,
    /// Whether the schedule was added at run time, so that the registry doesn't count its runs.
    is_added: bool,
    log: Arc<Mutex<LogOnChange>>,
}

impl Runner {
    /// Begins a run in a task of its own, unless another instance holds the lease.
    fn begin(&self, waiters: Vec<Waiter>) {
        let hold = self.singleton.as_ref().map(Singleton::hold);
        if let Some(None) = hold {
            let name = self.control.name();
            for waiter in waiters {
                // The receiver may have been dropped.
                let _ = waiter.send(Err(TaskError::NotHolder { name: name.to_string() }));
            }
            return;
        }
        let hold = hold.flatten();
        let running = self.control.begin(&self.core.clock);
        let (core, entry) = (Arc::clone(&self.core), Arc::clone(&self.entry));
        let (control, log) = (Arc::clone(&self.control), Arc::clone(&self.log));
        let name = control.name();
        let entered =
            self.is_added.then(|| self.workers.enter(format!("background \"{name}\" (added at run time)")));
        let run = async move {
            let endpoint = &entry.endpoint;
            let mut cx = Context::new(Arc::clone(&core), endpoint.definition.name);
            cx.deadline = endpoint.definition.timeout.map(Deadline::after);
            let run = Invocation::new(&core, "background", &endpoint.definition, Report::Invoker);
            let span = run.span().clone();
            if let Some(hold) = &hold {
                hold.provide(&mut cx);
            }
            let run = run.call(endpoint, cx);
            let outcome = match hold {
                Some(hold) => hold.run(run).await,
                None => run.await,
            };
            let error = outcome.err().map(|failure| failure.to_string());
            span.in_scope(|| log.lock().log(&endpoint.definition.source, error.as_deref()));
            control.ended(error.clone());
            drop(running);
            drop(entered);
            let ended = match error {
                None => Ok(()),
                Some(reason) => Err(TaskError::Failed { name: control.name().to_string(), reason }),
            };
            for waiter in waiters {
                // The receiver may have been dropped.
                let _ = waiter.send(ended.clone());
            }
        };
        self.workers.spawn(run);
    }
}
