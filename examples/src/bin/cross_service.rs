//! A service that tells another one that it has started, over its own connection to the bus.
//!
//! ```text
//! redis-cli subscribe service_started                    # in another terminal
//! cargo run -p daebus-examples --bin cross_service       # the Redis of this machine, or the one DAEBUS_URL names
//! ```

use std::time::{SystemTime, UNIX_EPOCH};

use daebus::prelude::*;
use tracing::{error, info};

/// What is said on the channel `service_started`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Started {
    service_name: String,
    /// In seconds since 1970.
    timestamp: f64,
}

/// Runs before the service is ready. A failure here would keep it from starting, and nobody listening isn't one.
#[on_start]
async fn tell_the_others(callers: Callers) -> Result<(), BoxError> {
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
        .register(blueprint_of!["lifecycle"; tell_the_others])
        .run()
        .await
}
