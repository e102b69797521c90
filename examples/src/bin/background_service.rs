//! Schedules: a health check that publishes its result, and a blocking task.
//!
//! ```text
//! redis-cli subscribe system_status                        # in another terminal
//! cargo run -p daebus-examples --bin background_service    # Redis on this machine, or DAEBUS_URL
//! HEALTH_CHECK_EVERY=2 cargo run -p daebus-examples --bin background_service
//! ```
//!
//! `HEALTH_CHECK_EVERY` sets the interval in seconds. Defaults to 30. The service's name is `background-service`.

use daebus::prelude::*;
use tracing::info;

/// A message on the channel `system_status`.
#[derive(Debug, Serialize, Deserialize)]
pub struct SystemStatus {
    status: String,
}

/// Publishes the state of the system. If it returns an error, the error is logged and the schedule continues.
#[background("health_check", 30)]
async fn health_check(broadcast: Broadcast) -> Result<(), BoxError> {
    info!("Running health check");
    let receivers = broadcast.send("system_status", SystemStatus { status: "healthy".into() }).await?;
    info!("Health check sent, receivers: {receivers}");
    Ok(())
}

/// A plain `fn` runs on a thread where it may block; this one reads a file.
#[background("periodic_task", every = "1m", immediate)]
fn periodic_task() -> Result<(), BoxError> {
    let load = std::fs::read_to_string("/proc/loadavg")?;
    info!("Periodic task completed: the load is {}", load.split(' ').next().unwrap_or("unknown"));
    Ok(())
}

/// Changes the interval of the attribute to the configured one.
#[on_start]
async fn configure(tasks: Tasks) -> Result<(), BoxError> {
    if let Some(every) = daebus_examples::seconds("HEALTH_CHECK_EVERY")? {
        tasks.set_interval("health_check", every)?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> daebus::Result<()> {
    daebus::logging::init();
    Daebus::new("background-service")
        .bus(daebus_examples::bus_url()?)
        .register(blueprint_of!["background"; health_check, periodic_task, configure])
        .run()
        .await
}
