//! The checks that every request passes on its way in, and the errors of every response on its way out.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{self, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use daebus_caller::wire::Fault;
use futures_util::FutureExt as _;
use http_body_util::{BodyExt as _, Limited};
use tokio::time::timeout;
use tracing::{Instrument, Span, debug, error, field, info_span};

use super::connection::OnSpareConnection;
use super::cross_origin::CrossOriginProtection;
use super::limits::HttpLimits;
use super::problem::{overloaded, problem, tidy};
use super::route::{Late, Timed, too_large};
use crate::runtime::panic_message;

/// How long a client that sends too much may go on, so that it gets to read the answer: a connection that is closed
/// with bytes unread takes the answer with it.
const LINGER: Duration = Duration::from_secs(1);

/// What every request has to pass before a route, the application's router or a file answers it.
#[derive(Debug)]
pub(super) struct RequestChecks {
    pub(super) limits: HttpLimits,
    pub(super) protection: Option<CrossOriginProtection>,
    /// The path that the service's own paths are under, if they are served.
    pub(super) own_paths: Option<String>,
}

impl RequestChecks {
    /// Checks the request, bounds its body, contains panics, makes every error JSON, and writes the log.
    pub(super) async fn pass(self: Arc<Self>, request: Request, next: Next) -> Response {
        let path = request.uri().path().to_owned();
        let span = info_span!("http", method = %request.method(), path, status = field::Empty);
        async move {
            let response = tidy(self.answer(request, next).await, &path);
            let status = response.status().as_u16();
            Span::current().record("status", status);
            debug!(status, "answered");
            response
        }
        .instrument(span)
        .await
    }

    async fn answer(&self, request: Request, next: Next) -> Response {
        let (parts, body) = request.into_parts();
        if parts.extensions.get::<OnSpareConnection>().is_some() && !self.is_own_path(parts.uri.path()) {
            return overloaded("the server has as many connections as it takes");
        }
        let refused = self.protection.as_ref().and_then(|protection| protection.check(&parts).err());
        match refused {
            Some(fault) => problem(&fault),
            None => bounded(self.limits, Request::from_parts(parts, body), next).await,
        }
    }

    fn is_own_path(&self, path: &str) -> bool {
        let below = self.own_paths.as_ref().and_then(|own| path.strip_prefix(own.as_str()));
        below.is_some_and(|below| below.starts_with('/'))
    }
}

/// Runs what is inside with a body that is bounded in bytes and time.
async fn bounded(limits: HttpLimits, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let announced = parts.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    let announced: Option<u64> = announced.and_then(|length| length.parse().ok());
    if announced.is_some_and(|bytes| bytes > u64::try_from(limits.body_bytes).unwrap_or(u64::MAX)) {
        // Reading the body would ask a client for it that waits for permission to send it.
        if !parts.headers.contains_key(header::EXPECT) {
            let _ = timeout(LINGER, discard(body)).await;
        }
        return closing(problem(&too_large()));
    }
    let (body, late) = Timed::new(Limited::new(body, limits.body_bytes), limits.body_time);
    let handler = AssertUnwindSafe(next.run(Request::from_parts(parts, Body::new(body)))).catch_unwind();
    match handler.await {
        // An extractor without a time limit reports a body that broke off.
        Ok(response) if late.is_late() && response.status().is_client_error() => {
            closing(problem(&Late::fault(limits.body_time)))
        }
        Ok(response) => response,
        Err(panic) => {
            error!(reason = panic_message(&*panic), "a layer or a router panicked");
            problem(&Fault::internal())
        }
    }
}

async fn discard(mut body: Body) {
    while let Some(Ok(_)) = body.frame().await {}
}

/// What is left of the body isn't read, so nothing else can come over this connection.
fn closing(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
