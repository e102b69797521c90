//! From a request to the handler's response: its time, its panics, its failures.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts as _, RawPathParams, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use daebus_caller::deadline::Deadline;

use super::problem::{respond, worded};
use super::route::{Refusal, Route, RouteRequest};
use crate::handler::{Context, Core, Turn, run_guarded};

/// Runs a route's handler within its time. A panic becomes a 500 and a line in the log.
pub(super) async fn run(core: &Arc<Core>, route: &Route, timeout: Duration, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let parameters = match RawPathParams::from_request_parts(&mut parts, &()).await {
        Ok(parameters) => parameters.iter().map(|(_, value)| value.to_owned()).collect(),
        Err(rejection) => return worded(rejection.into_response()).await,
    };
    let deadline = Deadline::after(route.timeout.unwrap_or(timeout));
    let cx = Context::new(Arc::clone(core), route.source.function()).with_http(parts, deadline);
    let handler = (route.run)(RouteRequest::new(cx, body, parameters));
    let turn = Turn::new(Vec::new(), route.in_flight.enter());
    let answered = run_guarded(core, route.source, Some(deadline), turn, async { Ok(handler.await) }).await;
    match answered.unwrap_or_else(|failure| Err(Refusal::Failure(failure))) {
        Ok(mut response) => {
            if response.status() == StatusCode::OK
                && let Ok(status) = StatusCode::from_u16(route.status)
            {
                *response.status_mut() = status;
                if matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT) {
                    // These have no body, and `()` would be `{}`.
                    return status.into_response();
                }
            }
            response
        }
        Err(refusal) => respond(refusal, &route.source),
    }
}
