//! The smallest service: one action, a payload with a default.
//!
//! ```text
//! cargo run -p daebus-examples --bin hello_service       # Redis on this machine, or DAEBUS_URL
//! ```

use daebus::prelude::*;

/// The payload of `hello_world`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Hello {
    /// The name to greet. Defaults to `World`.
    #[serde(default = "world")]
    name: String,
}

fn world() -> String {
    "World".to_owned()
}

/// The answer of `hello_world`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Greeting {
    message: String,
}

/// Returns a greeting.
#[action("hello_world")]
async fn hello_world(Payload(hello): Payload<Hello>) -> Greeting {
    tracing::info!("Received request from {}", hello.name);
    Greeting { message: format!("Hello, {}!", hello.name) }
}

#[tokio::main]
async fn main() -> daebus::Result<()> {
    daebus::logging::init();
    Daebus::new("hello-service")
        .bus(daebus_examples::bus_url()?)
        .register(blueprint_of!["hello"; hello_world])
        .run()
        .await
}
