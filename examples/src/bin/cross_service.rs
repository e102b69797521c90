//! A service that publishes a message when it starts, over its own connection to the bus.
//!
//! ```text
//! redis-cli subscribe service_started                    # in another terminal
//! cargo run -p daebus-examples --bin cross_service       # Redis on this machine, or DAEBUS_URL
//! ```

use std::time::{SystemTime, UNIX_EPOCH};

use daebus::prelude::*;
use tracing::{error, info};

/// A message on the channel `service_started`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Started {
    service_name: String,
    /// Seconds since 1970.
    timestamp: f64,
}

/// Runs before the service is ready. An error here would prevent the start, so a failed notification is only logged.
#[on_start]
async fn notify_others(callers: Callers) -> Result<(), BoxError> {
    let other_service = callers.to("other-service");
    let timestamp = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
    let started = Started { service_name: "my-service".into(), timestamp };
    match other_service.send_message("service_started", &started).await {
        Ok(receivers) => info!("Notification sent, receivers: {receivers}"),
        Err(error) => error!("Failed to send notification: {error}"),
    }
    Ok(())
}

#[tokio::main]
async fn main() -> daebus::Result<()> {
    daebus::logging::init();
    Daebus::new("my-service")
        .bus(daebus_examples::bus_url()?)
        .register(blueprint_of!["lifecycle"; notify_others])
        .run()
        .await
}
