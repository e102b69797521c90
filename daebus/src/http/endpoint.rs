//! From a request to the handler's response: its admission, its time, its panics, its failures.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response;
use daebus_caller::deadline::Deadline;
use daebus_caller::wire::{Fault, FaultCode, TraceContext};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout_at;

use super::early_body;
use super::items;
use super::problem::{invalid_path, json_response, overloaded, problem};
use super::route::{Pattern, Route, set_status};
use crate::handler::layer::HandlerService;
use crate::handler::{Context, Core, Definition, Endpoint, HttpRequest, Invocation, Report};
use crate::runtime::Workers;

static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
static TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// What the routes of a server run in.
#[derive(Clone)]
pub(crate) struct RouteRuntime {
    pub(crate) core: Arc<Core>,
    /// Run handlers that outlive their connection.
    pub(crate) workers: Workers,
    /// The timeout of routes without their own.
    pub(crate) timeout: Duration,
}

/// A route of a running service.
pub(super) struct RouteEndpoint {
    core: Arc<Core>,
    workers: Workers,
    definition: Definition,
    pattern: Pattern,
    handler: HandlerService,
    status: u16,
    timeout: Duration,
    cancel_on_disconnect: Option<bool>,
}

impl RouteEndpoint {
    pub(super) fn new(runtime: &RouteRuntime, route: &Route, pattern: Pattern) -> Self {
        let RouteRuntime { core, workers, timeout } = runtime.clone();
        let Endpoint { definition, run } = route.endpoint();
        Self {
            core,
            workers,
            timeout: definition.timeout.unwrap_or(timeout),
            definition,
            pattern,
            handler: run,
            status: route.status,
            cancel_on_disconnect: route.cancel_on_disconnect,
        }
    }

    /// Runs the handler if the service has a place for it.
    ///
    /// # Cancel safety
    ///
    /// hyper drops this future when the client disconnects. The handler is then cancelled, or runs to completion.
    pub(super) async fn run(self: Arc<Self>, request: Request) -> Response {
        let Some(place) = self.core.admission.admit(&self.definition) else {
            return overloaded(&format!("{} has as many requests as it takes", self.core.service));
        };
        let is_read_only = matches!(*request.method(), Method::GET | Method::HEAD);
        if self.cancel_on_disconnect.unwrap_or(is_read_only) {
            return self.answer(request, place).await;
        }
        let endpoint = Arc::clone(&self);
        let answer = self.workers.run_on(async move { endpoint.answer(request, place).await });
        answer.await.unwrap_or_else(|| {
            let service = &self.core.service;
            let fault = format!("{service} stopped before the handler had ended; it may have run in part");
            problem(&Fault::reserved(FaultCode::Interrupted, fault))
        })
    }

    /// Runs the handler within its time. A panic becomes a 500 and a line in the log.
    async fn answer(&self, request: Request, _place: OwnedSemaphorePermit) -> Response {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path();
        let parameters = match self.pattern.parameters(path) {
            Ok(parameters) => parameters,
            Err(name) => {
                let reason = format!("the bytes of `{name}` in the path aren't UTF-8");
                return invalid_path(StatusCode::BAD_REQUEST, &reason, path);
            }
        };
        let deadline = Deadline::after(self.timeout);
        let (trace, as_events) = (trace_of(&parts.headers), items::wants_events(&parts.headers));
        // Waits for its turn while the body arrives, so that requests whose clients send none take no more than their
        // handler's share of the places.
        let run = Invocation::new(&self.core, "route", &self.definition, Report::Reply)
            .limited_by(self.core.admission.turns())
            .traced(trace);
        let Ok(body) = timeout_at(deadline.instant(), early_body::begin(body)).await else {
            let fault = "the deadline passed before the handler could run";
            return problem(&Fault::reserved(FaultCode::DeadlineExceeded, fault));
        };
        let cx = Context::new(Arc::clone(&self.core), self.definition.name)
            .with_http(HttpRequest::new(parts, body, parameters), deadline);
        match run.run(Some(deadline), Box::pin(self.handler.clone().run(cx))).await {
            Ok(answer) => answer.into_response(
                |json| {
                    let mut response = json_response(StatusCode::OK, json.as_bytes().clone());
                    set_status(&mut response, self.status);
                    response
                },
                |items| {
                    let mut response = items::response(&self.core, self.definition.name, items, as_events);
                    set_status(&mut response, self.status);
                    response
                },
            ),
            Err(failure) => problem(failure.fault()),
        }
    }
}

/// Returns the trace that a request belongs to. A request has one `traceparent`; the lines of `tracestate` are one list.
fn trace_of(headers: &HeaderMap) -> Option<TraceContext> {
    let mut traceparents = headers.get_all(&TRACEPARENT).iter();
    let (Some(traceparent), None) = (traceparents.next(), traceparents.next()) else { return None };
    let lines: Result<Vec<&str>, _> = headers.get_all(&TRACESTATE).iter().map(HeaderValue::to_str).collect();
    let tracestate = lines.ok().filter(|lines| !lines.is_empty()).map(|lines| lines.join(","));
    TraceContext::new(traceparent.to_str().ok()?, tracestate.as_deref())
}
