//! Work by the clock: a health check that is broadcast, and a run that fails without harm.
//!
//! ```text
//! redis-cli subscribe system_status                        # in another terminal
//! cargo run -p daebus-examples --bin background_service    # the Redis of this machine, or the one DAEBUS_URL names
//! HEALTH_CHECK_EVERY=2 cargo run -p daebus-examples --bin background_service
//! ```
//!
//! `HEALTH_CHECK_EVERY` is in seconds, 30 unless set. The service is called `background-service`.

use daebus::prelude::*;
use tracing::info;

/// What is said on the channel `system_status`.
#[derive(Debug, Serialize, Deserialize)]
pub struct SystemStatus {
    status: String,
}

/// Tells whoever listens how the system is. An error is logged, and the next run comes all the same.
#[background("health_check", 30)]
async fn health_check(broadcast: Broadcast) -> Result<(), BoxError> {
    info!("Running health check");
    let receivers = broadcast.send("system_status", SystemStatus { status: "healthy".into() }).await?;
    info!("Health check sent, receivers: {receivers}");
    Ok(())
}

/// A plain `fn` runs on a thread of its own, where it may block: here it reads a file.
#[background("periodic_task", every = "1m", immediate)]
fn periodic_task() -> Result<(), BoxError> {
    let load = std::fs::read_to_string("/proc/loadavg")?;
    info!("Periodic task completed: the load is {}", load.split(' ').next().unwrap_or("unknown"));
    Ok(())
}

/// An interval that configuration decides: the attribute has the default, `Tasks` changes it.
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
