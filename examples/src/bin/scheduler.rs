//! Control of schedules: an interval that an action changes, cron expressions, and delayed work.
//!
//! ```text
//! cargo run -p daebus-examples --bin scheduler           # Redis on this machine, or DAEBUS_URL
//! ```
//!
//! The service is `scheduler`. Its actions: `schedules`, `set_interval` (`{"name": "poll", "seconds": 5}`), `pause`, `resume`,
//! `run_now` (`{"name": "report"}`), and `remind_me` (`{"text": "tea", "after": 180}`).

use daebus::prelude::*;
use daebus::{ScheduleInfo, TaskError};
use tracing::info;

/// Runs every minute until `set_interval` changes that, for the first time as soon as the service is ready.
#[background("poll", every = "1m", immediate)]
async fn poll(broadcast: Broadcast) -> Result<(), BoxError> {
    broadcast.send("polled", json!({"found": "nothing new"})).await?;
    Ok(())
}

/// Runs at 06:00 in Amsterdam, delayed by up to 30 s so that several services don't report at the same time. A run that is
/// due while the previous one is running is skipped.
#[background("report", cron = "0 6 * * *", tz = "Europe/Amsterdam", jitter = "30s", overlap = "skip")]
async fn report(broadcast: Broadcast) -> Result<(), BoxError> {
    info!("Writing the report");
    broadcast.send("reports", json!({"title": "the report of today"})).await?;
    Ok(())
}

/// With six fields, the first one is the second.
#[background("clock", cron = "* * * * * *")]
async fn clock(broadcast: Broadcast) -> Result<(), BoxError> {
    broadcast.send("clock", json!({"tick": true})).await?;
    Ok(())
}

/// The name of a schedule.
#[derive(Debug, Serialize, Deserialize)]
pub struct Named {
    name: String,
}

/// The payload of `set_interval`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Interval {
    name: String,
    seconds: f64,
}

/// The payload of `remind_me`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Reminder {
    text: String,
    /// In seconds.
    after: f64,
}

/// Returns the state of every schedule: the next run, the number of runs, the last error.
#[action("schedules")]
async fn schedules(tasks: Tasks) -> Vec<ScheduleInfo> {
    tasks.schedules()
}

/// Changes the interval of a schedule.
#[action("set_interval")]
async fn set_interval(
    Payload(Interval { name, seconds }): Payload<Interval>,
    tasks: Tasks,
) -> Result<(), BoxError> {
    // A fault is returned to the caller; other errors would become `internal`.
    let interval = Duration::try_from_secs_f64(seconds)
        .map_err(|error| Fault::new("bad_interval", error.to_string()))?;
    tasks.set_interval(&name, interval).map_err(|error| Fault::new("bad_interval", error.to_string()))?;
    Ok(())
}

/// Suspends a schedule until `resume`.
#[action("pause")]
async fn pause(Payload(Named { name }): Payload<Named>, tasks: Tasks) -> Result<(), TaskError> {
    tasks.pause(&name)
}

/// Resumes a schedule.
#[action("resume")]
async fn resume(Payload(Named { name }): Payload<Named>, tasks: Tasks) -> Result<(), TaskError> {
    tasks.resume(&name)
}

/// Runs a schedule now, and replies when the run has finished.
#[action("run_now")]
async fn run_now(Payload(Named { name }): Payload<Named>, tasks: Tasks) -> Result<(), TaskError> {
    tasks.run_now(&name).await
}

/// Publishes the text on `reminders` after a delay, unless the service stops before.
#[action("remind_me")]
async fn remind_me(
    Payload(reminder): Payload<Reminder>,
    tasks: Tasks,
    broadcast: Broadcast,
) -> Result<(), Fault> {
    let after = Duration::try_from_secs_f64(reminder.after)
        .map_err(|error| Fault::new("bad_delay", error.to_string()))?;
    tasks.after(after, async move {
        if let Err(error) = broadcast.send("reminders", json!({"text": reminder.text})).await {
            tracing::error!(%error, "reminder lost");
        }
    });
    Ok(())
}

#[tokio::main]
async fn main() -> daebus::Result<()> {
    daebus::logging::init();
    Daebus::new("scheduler")
        .bus(daebus_examples::bus_url()?)
        .register(blueprint_of!["schedules"; poll, report, clock])
        .register(blueprint_of!["control"; schedules, set_interval, pause, resume, run_now, remind_me])
        .run()
        .await
}
