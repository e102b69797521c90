//! The smallest service: one action, a payload with a default.
//!
//! ```text
//! cargo run -p daebus-examples --bin hello_service       # the Redis of this machine, or the one DAEBUS_URL names
//! ```

use daebus::prelude::*;

/// What `hello_world` takes.
#[derive(Debug, Serialize, Deserialize)]
pub struct Hello {
    /// Whom to greet, the world unless said.
    #[serde(default = "world")]
    name: String,
}

fn world() -> String {
    "World".to_owned()
}

/// What `hello_world` answers.
#[derive(Debug, Serialize, Deserialize)]
pub struct Greeting {
    message: String,
}

/// Greets.
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
