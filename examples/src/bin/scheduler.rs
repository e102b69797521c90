//! Schedules under control: an interval changed by an action, cron expressions, and work that is done once, later.
//!
//! ```text
//! cargo run -p daebus-examples --bin scheduler           # the Redis of this machine, or the one DAEBUS_URL names
//! ```
//!
//! The service is called `scheduler`. Its actions: `schedules` lists them; `set_interval` (`{"name": "poll", "seconds": 5}`);
//! `pause`, `resume` and `run_now` (`{"name": "report"}`); `remind_me` (`{"text": "tea", "after": 180}`).

use daebus::prelude::*;
use daebus::{ScheduleInfo, TaskError};
use tracing::info;

/// Every minute until `set_interval` says otherwise. The first run comes as soon as the service is ready.
#[background("poll", every = "1m", immediate)]
async fn poll(broadcast: Broadcast) -> Result<(), BoxError> {
    broadcast.send("polled", json!({"found": "nothing new"})).await?;
    Ok(())
}

/// At six in the morning in Amsterdam, up to half a minute later so that not everybody reports at once. While a report is
/// being written, the next one is left out.
#[background("report", cron = "0 6 * * *", tz = "Europe/Amsterdam", jitter = "30s", overlap = "skip")]
async fn report(broadcast: Broadcast) -> Result<(), BoxError> {
    info!("Writing the report");
    broadcast.send("reports", json!({"title": "the report of today"})).await?;
    Ok(())
}

/// Six fields begin with the second.
#[background("clock", cron = "* * * * * *")]
async fn clock(broadcast: Broadcast) -> Result<(), BoxError> {
    broadcast.send("clock", json!({"tick": true})).await?;
    Ok(())
}

/// Names a schedule.
#[derive(Debug, Serialize, Deserialize)]
pub struct Named {
    name: String,
}

/// What `set_interval` takes.
#[derive(Debug, Serialize, Deserialize)]
pub struct Interval {
    name: String,
    seconds: f64,
}

/// What `remind_me` takes.
#[derive(Debug, Serialize, Deserialize)]
pub struct Reminder {
    text: String,
    /// In seconds.
    after: f64,
}

/// Every schedule as it stands: when it runs next, how often it ran, what went wrong.
#[action("schedules")]
async fn schedules(tasks: Tasks) -> Vec<ScheduleInfo> {
    tasks.schedules()
}

/// From now on the schedule runs at this interval.
#[action("set_interval")]
async fn set_interval(
    Payload(Interval { name, seconds }): Payload<Interval>,
    tasks: Tasks,
) -> Result<(), BoxError> {
    // The caller's mistakes go back to the caller in words; a `?` on its own would say `internal`.
    let interval = Duration::try_from_secs_f64(seconds)
        .map_err(|error| Fault::new("bad_interval", error.to_string()))?;
    tasks.set_interval(&name, interval).map_err(|error| Fault::new("bad_interval", error.to_string()))?;
    Ok(())
}

/// Lets no run begin by the clock until `resume`.
#[action("pause")]
async fn pause(Payload(Named { name }): Payload<Named>, tasks: Tasks) -> Result<(), TaskError> {
    tasks.pause(&name)
}

/// Ends a pause.
#[action("resume")]
async fn resume(Payload(Named { name }): Payload<Named>, tasks: Tasks) -> Result<(), TaskError> {
    tasks.resume(&name)
}

/// Runs a schedule now, and answers when the run has ended.
#[action("run_now")]
async fn run_now(Payload(Named { name }): Payload<Named>, tasks: Tasks) -> Result<(), TaskError> {
    tasks.run_now(&name).await
}

/// Broadcasts the text on `reminders`, once, later. It is forgotten when the service stops before that.
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
            tracing::error!("a reminder was lost: {error}");
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
