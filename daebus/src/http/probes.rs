//! The service's own paths: liveness, readiness and metrics, for load balancers and monitoring.

use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use daebus_caller::bus::BusState;
use serde_json::json;

use super::problem::json_response;
use crate::handler::Core;
use crate::statistics::Exposition;

/// Paths that are the service's own.
pub(super) const ROOT: &str = "/_service";

/// Returns the service's metrics in Prometheus's text format.
pub(crate) type Metrics = Arc<dyn Fn() -> String + Send + Sync>;

/// The service's own paths.
pub(super) const PATHS: [&str; 3] = ["/_service/status", "/_service/ready", "/_service/metrics"];

/// The path of the JavaScript module that speaks with the gateway.
pub(super) const SCRIPT: &str = "/_service/daebus.js";

/// Answers [`SCRIPT`] with the module.
pub(super) fn script(module: &'static str) -> Router {
    let headers =
        [(header::CONTENT_TYPE, "text/javascript; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
    Router::new().route(SCRIPT, get(async move || (headers, module)))
}

/// `/_service/status` answers 200 while the process lives. `/_service/ready` answers 200 while the bus is connected, the
/// subscriptions are confirmed and the service isn't stopping. `/_service/metrics` answers with the metrics. `started` is
/// `None` while the service starts.
pub(super) fn routes(started: Option<(&Arc<Core>, &Metrics)>) -> Router {
    let (core, metrics) = started.map(|(core, metrics)| (Arc::clone(core), Arc::clone(metrics))).unzip();
    Router::new()
        .route(PATHS[0], get(async || json_response(StatusCode::OK, "{\"status\":\"ok\"}".into())))
        .route(PATHS[1], get(async move || ready(core.as_deref())))
        .route(PATHS[2], get(async move || self::metrics(metrics).await))
}

/// Answers a request whose handler can't run before the service has started.
pub(super) async fn starting() -> Response {
    let body = json!({"error": "the service is starting", "code": "starting"});
    json_response(StatusCode::SERVICE_UNAVAILABLE, body.to_string().into())
}

async fn metrics(metrics: Option<Metrics>) -> Response {
    match metrics {
        Some(metrics) => ([(header::CONTENT_TYPE, Exposition::MEDIA_TYPE)], metrics()).into_response(),
        None => starting().await,
    }
}

fn ready(core: Option<&Core>) -> Response {
    let Some(core) = core else { return not_ready("the service is starting") };
    let reason = if core.shutdown.is_requested() {
        "the service is stopping"
    } else if *core.bus.state().borrow() != BusState::Ready {
        "the bus is away"
    } else if !core.readiness.is_ready() {
        "the subscriptions aren't confirmed yet"
    } else {
        return json_response(StatusCode::OK, "{\"status\":\"ready\"}".into());
    };
    not_ready(reason)
}

fn not_ready(reason: &str) -> Response {
    let body = json!({"status": "not ready", "reason": reason});
    json_response(StatusCode::SERVICE_UNAVAILABLE, body.to_string().into())
}
