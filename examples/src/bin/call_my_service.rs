//! Untyped calls to `my_service`, which may be the Rust or the Python service.
//!
//! ```text
//! cargo run -p daebus-examples --bin my_service          # in another terminal
//! cargo run -p daebus-examples --bin call_my_service     # Redis on this machine, or DAEBUS_URL
//! ```

use daebus::prelude::*;

#[tokio::main]
async fn main() -> daebus::Result<()> {
    daebus::logging::init();
    let caller = Caller::connect(&daebus_examples::bus_url()?, "my_service").await?;

    let status: Value = caller.send_request("get_status", json!({"detail_level": "full"})).await?;
    println!("Service status: {status}");

    let restarted: Value = caller.send_request("restart", json!({"mode": "graceful"})).await?;
    println!("Restart result: {restarted}");

    let alert = json!({"type": "alert", "message": "System temperature high"});
    let receivers = caller.send_message("notifications", alert).await?;
    println!("Notification sent, receivers: {receivers}");

    let message = json!({"timestamp": 1_625_176_230, "info": "Direct message with action"});
    let receivers = caller.send_to_service(message, Some("log_info")).await?;
    println!("Message sent, receivers: {receivers}");

    caller.close().await;
    Ok(())
}
