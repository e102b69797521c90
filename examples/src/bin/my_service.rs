//! The service of the Quick Start: two actions, a one-way message, a channel it listens to, and a health check that it
//! broadcasts on `system_status`, at the start and every 30 seconds.
//!
//! ```text
//! cargo run -p daebus-examples --bin my_service          # the Redis of this machine, or the one DAEBUS_URL names
//! cargo run -p daebus-examples --bin call_my_service     # in another terminal; or Python's DaebusCaller("my_service")
//! ```

use std::time::Instant;

use daebus::prelude::*;
use tracing::info;

/// What `get_status` answers.
#[derive(Debug, Serialize, Deserialize)]
pub struct Status {
    status: String,
    /// In seconds.
    uptime: f64,
}

/// What `restart` answers.
#[derive(Debug, Serialize, Deserialize)]
pub struct Restarted {
    restarted: bool,
}

/// The handlers of the service.
#[blueprint("my_service")]
pub mod my_service {
    use super::*;

    /// Says how the service is.
    #[action("get_status")]
    pub async fn get_status(Payload(asked): Payload<Value>, State(started): State<Instant>) -> Status {
        info!("asked for the status: {asked}");
        Status { status: "healthy".into(), uptime: started.elapsed().as_secs_f64() }
    }

    /// Here a real service would restart what it looks after.
    #[action("restart")]
    pub async fn restart(Payload(asked): Payload<Value>) -> Restarted {
        info!("restarting: {asked}");
        Restarted { restarted: true }
    }

    /// Meant for `send_to_service`, which waits for no reply.
    #[action("log_info")]
    pub async fn log_info(Payload(message): Payload<Value>) {
        info!("log_info: {message}");
    }

    /// Hears what anybody says on the channel.
    #[listen("notifications")]
    pub async fn on_notification(Payload(notification): Payload<Value>) {
        info!("heard a notification: {notification}");
    }

    /// Tells whoever listens how the system is.
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
