//! The reports of an instance, `$info` and `$stats`, as far as the program uses them.

use std::collections::BTreeMap;
use std::time::Duration;

use daebus_caller::{CallError, InstanceId};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::connection::Connection;

/// Asks one instance for a report.
pub(crate) async fn report_of(
    connection: &Connection,
    service: &str,
    instance: &InstanceId,
    action: &str,
    timeout: Duration,
) -> Result<Value, CallError> {
    let call = connection.caller(service).send_request::<Value>(action, json!({}));
    call.timeout(timeout).on_instance(instance).await
}

/// The answer to `$info`.
#[derive(Debug, Deserialize)]
pub(crate) struct InfoReport {
    pub(crate) service: String,
    #[serde(default)]
    pub(crate) version: Option<String>,
    #[serde(default)]
    pub(crate) description: Option<String>,
    #[serde(default)]
    pub(crate) actions: Vec<DescribedHandler>,
    #[serde(default)]
    pub(crate) channels: Vec<DescribedHandler>,
    #[serde(default)]
    pub(crate) routes: Vec<DescribedHandler>,
    #[serde(default)]
    pub(crate) sockets: Vec<DescribedHandler>,
    #[serde(default)]
    pub(crate) schedules: Vec<DescribedHandler>,
}

/// A handler in the answer to `$info`.
#[derive(Debug, Deserialize)]
pub(crate) struct DescribedHandler {
    /// Of actions, channels and schedules.
    #[serde(default)]
    pub(crate) name: Option<String>,
    /// The type of a WebSocket message.
    #[serde(default, rename = "type")]
    pub(crate) kind: Option<String>,
    #[serde(default)]
    pub(crate) methods: Vec<String>,
    #[serde(default)]
    pub(crate) pattern: Option<String>,
    #[serde(default)]
    pub(crate) schedule: Option<String>,
    #[serde(default)]
    pub(crate) description: Option<String>,
    #[serde(default)]
    pub(crate) payload: Option<Value>,
    #[serde(default)]
    pub(crate) progress: Option<Value>,
    #[serde(default)]
    pub(crate) answer: Option<Value>,
    #[serde(default)]
    pub(crate) error: Option<Value>,
}

/// The answer to `$stats`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct StatsReport {
    pub(crate) started: String,
    pub(crate) uptime_seconds: f64,
    pub(crate) handlers: Vec<HandlerStats>,
    pub(crate) queues: BTreeMap<String, u64>,
    pub(crate) refused: BTreeMap<String, u64>,
    pub(crate) dropped: BTreeMap<String, u64>,
}

/// The counters of a handler since the start of its instance. Times are in nanoseconds.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct HandlerStats {
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) num_requests: u64,
    pub(crate) num_errors: u64,
    pub(crate) last_error: Option<LastError>,
    pub(crate) in_flight: u64,
    pub(crate) processing_time: u64,
    pub(crate) average_processing_time: u64,
    pub(crate) p99_processing_time: u64,
}

/// The last error of a handler.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct LastError {
    pub(crate) message: String,
}
