//! A complete service: an action, an HTTP route, a listener, WebSockets and a schedule.
//!
//! ```text
//! cargo run -p daebus-examples --bin metrics_service     # Redis on this machine, or DAEBUS_URL
//! curl localhost:8080/api/metrics
//! redis-cli subscribe metrics_updates                    # every 10 seconds; METRICS_EVERY=1 for every second
//! ```
//!
//! A WebSocket client connects to `ws://localhost:8080/ws` and sends `{"type": "subscribe_metrics"}`. `DAEBUS_HTTP` and
//! `DAEBUS_WS` set other addresses; `127.0.0.1:0` selects a free port, which is logged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use daebus::prelude::*;
use tracing::info;

/// The counters, shared by the handlers.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Counters>);

#[derive(Debug)]
struct Counters {
    started: Instant,
    requests: AtomicU64,
    broadcasts: AtomicU64,
    maintenance: AtomicBool,
}

impl Metrics {
    fn new() -> Self {
        Self(Arc::new(Counters {
            started: Instant::now(),
            requests: AtomicU64::new(0),
            broadcasts: AtomicU64::new(0),
            maintenance: AtomicBool::new(false),
        }))
    }

    fn now(&self) -> Snapshot {
        Snapshot {
            uptime: self.0.started.elapsed().as_secs_f64(),
            requests: self.0.requests.load(Ordering::Relaxed),
            broadcasts: self.0.broadcasts.load(Ordering::Relaxed),
            maintenance: self.0.maintenance.load(Ordering::Relaxed),
        }
    }
}

/// The metrics at one point in time.
#[derive(Debug, Serialize, Deserialize)]
pub struct Snapshot {
    /// In seconds.
    uptime: f64,
    requests: u64,
    broadcasts: u64,
    maintenance: bool,
}

/// The message that is published every ten seconds.
#[derive(Debug, Serialize, Deserialize)]
pub struct Update {
    #[serde(flatten)]
    metrics: Snapshot,
    /// Seconds since 1970.
    timestamp: f64,
}

/// A message on the channel `system_events`. Other types are ignored.
#[derive(Debug, Deserialize)]
pub struct SystemEvent {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default = "yes")]
    on: bool,
}

fn yes() -> bool {
    true
}

/// The answer of `subscribe_metrics`.
#[derive(Debug, Serialize)]
pub struct Subscribed {
    status: String,
    /// In seconds.
    update_interval: u64,
}

/// The interval between two updates.
#[derive(Debug, Clone, Copy)]
pub struct Every(Duration);

/// The attribute of clients that receive updates.
const WANTS_METRICS: &str = "wants_metrics";

/// The handlers of the service.
#[blueprint("metrics")]
pub mod metrics {
    use super::*;

    /// Returns the metrics to other services.
    #[action("get_metrics")]
    pub async fn get_metrics(State(metrics): State<Metrics>) -> Snapshot {
        metrics.0.requests.fetch_add(1, Ordering::Relaxed);
        metrics.now()
    }

    /// Returns the metrics over HTTP.
    #[route("/api/metrics")]
    async fn http_get_metrics(State(metrics): State<Metrics>) -> Snapshot {
        metrics.now()
    }

    /// Handles events that concern every service.
    #[listen("system_events")]
    async fn on_system_event(Payload(event): Payload<SystemEvent>, State(metrics): State<Metrics>) {
        info!("Received system event: {}", event.kind);
        if event.kind == "maintenance_mode" {
            metrics.0.maintenance.store(event.on, Ordering::Relaxed);
        }
    }

    /// Subscribes the client to updates.
    #[socket("subscribe_metrics")]
    async fn subscribe_metrics(
        client: Client,
        State(Every(interval)): State<Every>,
    ) -> Result<Subscribed, BoxError> {
        client.set(WANTS_METRICS, true)?;
        Ok(Subscribed { status: "subscribed".into(), update_interval: interval.as_secs() })
    }

    /// Publishes the metrics on the bus and to the subscribed clients.
    #[background("metrics_broadcast", 10)]
    async fn broadcast_metrics(
        State(metrics): State<Metrics>,
        broadcast: Broadcast,
        sockets: Sockets,
    ) -> Result<(), BoxError> {
        metrics.0.broadcasts.fetch_add(1, Ordering::Relaxed);
        let timestamp = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
        let update = Update { metrics: metrics.now(), timestamp };
        let wants = |client: &Client| client.get(WANTS_METRICS) == Some(true);
        // Clients first: they receive the update even while the bus is away.
        let clients = sockets.broadcast_where("metrics_update", &update, wants)?;
        let services = broadcast.send("metrics_updates", &update).await?;
        info!("Metrics broadcast completed: {services} services, {clients} clients");
        Ok(())
    }

    /// Changes the interval of the attribute to the configured one.
    #[on_start]
    async fn configure(State(Every(interval)): State<Every>, tasks: Tasks) -> Result<(), BoxError> {
        Ok(tasks.set_interval("metrics_broadcast", interval)?)
    }
}

#[tokio::main]
async fn main() -> daebus::Result<()> {
    daebus::logging::init();
    let every = daebus_examples::seconds("METRICS_EVERY")?.unwrap_or(Duration::from_secs(10));
    Daebus::new("metrics_service")
        .bus(daebus_examples::bus_url()?)
        .state(Metrics::new())
        .state(Every(every))
        .register(metrics::blueprint())
        .attach(daebus_examples::http()?)
        .attach(daebus_examples::web_socket()?)
        .run()
        .await
}
