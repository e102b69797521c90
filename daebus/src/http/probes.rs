//! Whether the service lives, and whether it can be used: what a load balancer or a page asks for.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use daebus_caller::bus::BusState;
use serde_json::json;

use super::problem::json_response;
use crate::handler::Core;

/// Paths that are the service's own.
pub(super) const ROOT: &str = "/_service";

/// `/_service/status`: it lives. `/_service/ready`: its bus is there, subscriptions confirmed, and it isn't stopping.
pub(super) fn routes(core: &Arc<Core>) -> Router {
    let core = Arc::clone(core);
    Router::new()
        .route("/_service/status", get(async || json_response(StatusCode::OK, "{\"status\":\"ok\"}".into())))
        .route("/_service/ready", get(async move || ready(&core)))
}

fn ready(core: &Core) -> Response {
    let reason = if core.shutdown.is_requested() {
        "the service is stopping"
    } else if *core.bus.state().borrow() != BusState::Ready {
        "the bus is away"
    } else if !core.readiness.is_ready() {
        "the subscriptions aren't confirmed yet"
    } else {
        return json_response(StatusCode::OK, "{\"status\":\"ready\"}".into());
    };
    let body = json!({"status": "not ready", "reason": reason});
    json_response(StatusCode::SERVICE_UNAVAILABLE, body.to_string().into())
}
