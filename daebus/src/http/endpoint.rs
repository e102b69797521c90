//! From a request to the handler's response: its time, its panics, its failures.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts as _, RawPathParams, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use daebus_caller::deadline::Deadline;

use super::problem::{json_response, problem, worded};
use super::route::{Route, set_status};
use crate::handler::layer::HandlerService;
use crate::handler::{Context, Core, Definition, Endpoint, HttpRequest, Invocation, Report};

/// A route of a running service.
pub(super) struct RouteEndpoint {
    core: Arc<Core>,
    definition: Definition,
    handler: HandlerService,
    status: u16,
    timeout: Duration,
}

impl RouteEndpoint {
    /// `timeout` is that of a route without its own.
    pub(super) fn new(core: &Arc<Core>, route: &Route, timeout: Duration) -> Self {
        let Endpoint { definition, run } = route.endpoint();
        let timeout = definition.timeout.unwrap_or(timeout);
        Self { core: Arc::clone(core), definition, handler: run, status: route.status, timeout }
    }

    /// Runs a route's handler within its time. A panic becomes a 500 and a line in the log.
    pub(super) async fn run(&self, request: Request) -> Response {
        let (mut parts, body) = request.into_parts();
        let parameters = match RawPathParams::from_request_parts(&mut parts, &()).await {
            Ok(parameters) => parameters.iter().map(|(_, value)| value.to_owned()).collect(),
            Err(rejection) => return worded(rejection.into_response()).await,
        };
        let deadline = Deadline::after(self.timeout);
        let cx = Context::new(Arc::clone(&self.core), self.definition.name)
            .with_http(HttpRequest::new(parts, body, parameters), deadline);
        let run = Invocation::new(&self.core, "route", &self.definition, Report::Reply);
        match run.run(Some(deadline), Box::pin(self.handler.clone().run(cx))).await {
            Ok(answer) => answer.into_response(|json| {
                let mut response = json_response(StatusCode::OK, json.as_bytes().clone());
                set_status(&mut response, self.status);
                response
            }),
            Err(failure) => problem(failure.fault()),
        }
    }
}
