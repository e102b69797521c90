//! From a request to the handler's response: its time, its panics, its failures.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts as _, RawPathParams, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use daebus_caller::deadline::Deadline;

use super::problem::{problem, worded};
use super::route::{Refusal, Route, RouteRequest};
use crate::handler::{Context, Core, Invocation, Report};

/// Runs a route's handler within its time. A panic becomes a 500 and a line in the log.
pub(super) async fn run(core: &Arc<Core>, route: &Route, timeout: Duration, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let parameters = match RawPathParams::from_request_parts(&mut parts, &()).await {
        Ok(parameters) => parameters.iter().map(|(_, value)| value.to_owned()).collect(),
        Err(rejection) => return worded(rejection.into_response()).await,
    };
    let deadline = Deadline::after(route.definition.timeout.unwrap_or(timeout));
    let cx = Context::new(Arc::clone(core), route.definition.name).with_http(parts, deadline);
    let handler = (route.run)(RouteRequest::new(cx, body, parameters));
    let run = Invocation::new(core, "route", &route.definition, Report::Reply);
    let answered = async move {
        match handler.await {
            Ok(response) => Ok(Ok(response)),
            Err(Refusal::Response(response)) => Ok(Err(*response)),
            Err(Refusal::Failure(failure)) => Err(failure),
        }
    };
    match run.run(Some(deadline), Box::pin(answered)).await {
        Ok(Ok(mut response)) => {
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
        Ok(Err(response)) => response,
        Err(failure) => problem(failure.fault()),
    }
}
