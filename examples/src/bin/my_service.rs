//! The service of the Quick Start: two actions, a one-way message, a listener, and a health check that is published on
//! `system_status` at the start and every 30 seconds.
//!
//! ```text
//! cargo run -p daebus-examples --bin my_service          # Redis on this machine, or DAEBUS_URL
//! cargo run -p daebus-examples --bin call_my_service     # in another terminal; or Python's DaebusCaller("my_service")
//! ```

use std::time::Instant;

use daebus::prelude::*;
use tracing::info;

/// The answer of `get_status`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Status {
    status: String,
    /// In seconds.
    uptime: f64,
}

/// The answer of `restart`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Restarted {
    restarted: bool,
}

/// The handlers of the service.
#[blueprint("my_service")]
pub mod my_service {
    use super::*;

    /// Returns the state of the service.
    #[action("get_status")]
    pub async fn get_status(Payload(query): Payload<Value>, State(started): State<Instant>) -> Status {
        info!("status requested: {query}");
        Status { status: "healthy".into(), uptime: started.elapsed().as_secs_f64() }
    }

    /// A real service would restart a device here.
    #[action("restart")]
    pub async fn restart(Payload(options): Payload<Value>) -> Restarted {
        info!("restarting: {options}");
        Restarted { restarted: true }
    }

    /// Handles messages of `send_to_service`, which have no reply.
    #[action("log_info")]
    pub async fn log_info(Payload(message): Payload<Value>) {
        info!("log_info: {message}");
    }

    /// Handles the messages of a channel.
    #[listen("notifications")]
    pub async fn on_notification(Payload(notification): Payload<Value>) {
        info!("notification received: {notification}");
    }

    /// Publishes the state of the system.
    #[background("health_check", 30, immediate)]
    pub async fn health_check(broadcast: Broadcast) -> Result<(), BoxError> {
        info!("running the health check");
        broadcast.send("system_status", json!({"status": "healthy"})).await?;
        Ok(())
    }
}

#[tokio::main]
async fn main() -> daebus::Result<()> {
    daebus::logging::init();
    Daebus::new("my_service")
        .bus(daebus_examples::bus_url()?)
        .state(Instant::now())
        .register(my_service::blueprint())
        .run()
        .await
}
