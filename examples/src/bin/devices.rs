//! An HTTP API: path parameters, a query, a body, status codes, and CORS.
//!
//! ```text
//! cargo run -p daebus-examples --bin devices             # Redis on this machine, or DAEBUS_URL
//! curl localhost:8080/status
//! curl localhost:8080/devices/123
//! curl -X POST localhost:8080/control -H 'content-type: application/json' -d '{"device_id": "123", "turn": "on"}'
//! curl 'localhost:8080/hello?name=Ada'
//! ```
//!
//! `DAEBUS_HTTP=127.0.0.1:0` selects a free port, which is logged.

use std::time::{SystemTime, SystemTimeError, UNIX_EPOCH};

use daebus::prelude::*;
use tracing::info;

/// The response of `/status`.
#[allow(clippy::struct_field_names, reason = "the field's name in JSON")]
#[derive(Debug, Serialize)]
pub struct Status {
    service: String,
    status: String,
    /// Seconds since 1970.
    timestamp: f64,
}

/// Returns the state of the service.
#[route("/status")]
async fn status() -> Result<Status, BoxError> {
    Ok(Status { service: "devices".into(), status: "running".into(), timestamp: now()? })
}

fn now() -> Result<f64, SystemTimeError> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64())
}

/// The response of `/devices/<device_id>`.
#[derive(Debug, Serialize)]
pub struct Device {
    device_id: String,
    status: String,
}

/// The errors of `/devices/<device_id>`: each has a status, and its message is the field `error`.
#[derive(Debug, thiserror::Error, Serialize, Deserialize, Fault)]
pub enum DeviceError {
    /// The only device is `123`.
    #[error("Device not found")]
    #[fault(code = "not_found", status = 404)]
    NotFound,
}

/// `<device_id>` is the argument `device_id`.
#[route("/devices/<device_id>")]
async fn device(device_id: String) -> Result<Device, DeviceError> {
    if device_id == "123" {
        Ok(Device { device_id, status: "online".into() })
    } else {
        Err(DeviceError::NotFound)
    }
}

/// The response of `/control`.
#[derive(Debug, Serialize)]
pub struct Controlled {
    success: bool,
    message: String,
}

/// The payload is the body, in JSON or as a form.
#[route("/control", methods = ["POST"], status = 201)]
async fn control(Payload(command): Payload<Value>) -> Controlled {
    info!("command received: {command}");
    Controlled { success: true, message: "Command received".into() }
}

/// The query of `/hello`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Hello {
    #[serde(default = "world")]
    name: String,
}

fn world() -> String {
    "World".to_owned()
}

/// The payload of a GET request is the query.
#[route("/hello")]
async fn hello(Payload(Hello { name }): Payload<Hello>) -> Value {
    info!("HTTP request from {name}");
    json!({"message": format!("Hello, {name}!")})
}

/// Data that pages of other origins may fetch.
#[route("/api/data")]
async fn data() -> Value {
    json!({"data": "example"})
}

#[tokio::main]
async fn main() -> daebus::Result<()> {
    daebus::logging::init();
    let cors = Cors::new()
        .allowed_origins(["http://localhost:3000", "https://example.com"])
        .allowed_methods(["GET", "POST", "OPTIONS"])
        .allowed_headers(["Content-Type", "Authorization"])
        .expose_headers(["X-Custom-Header"])
        .allow_credentials(true)
        .max_age(3600);
    Daebus::new("devices")
        .bus(daebus_examples::bus_url()?)
        .register(blueprint_of!["devices"; status, device, control, hello, data])
        .attach(daebus_examples::http()?.cors(cors))
        .run()
        .await
}
