//! The checks that every request passes on its way in, and the errors of every response on its way out.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::Method;
use axum::http::header::{self, HeaderValue};
use axum::response::Response;
use daebus_caller::wire::Fault;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http_body::Body as _;
use http_body_util::{BodyExt as _, Limited};
use tokio::time::timeout;
use tracing::{Instrument, Span, debug, error, field, info_span};

use super::cross_origin::CrossOriginProtection;
use super::limits::HttpLimits;
use super::places::OnSpareConnection;
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
    pub(super) fn pass<F>(
        self: Arc<Self>,
        request: Request,
        inner: impl FnOnce(Request) -> F,
    ) -> impl Future<Output = Response> + Send
    where
        F: Future<Output = Response> + Send,
    {
        let (uri, is_head) = (request.uri().clone(), request.method() == Method::HEAD);
        let span = info_span!("http", method = %request.method(), path = uri.path(), status = field::Empty);
        let admitted = self
            .admit(request)
            .map(|(request, late)| (AssertUnwindSafe(inner(request)).catch_unwind(), late));
        async move {
            let response = match admitted {
                Ok((handler, late)) => self.answered(handler.await, &late),
                Err(refused) => refused.await,
            };
            let response = tidy(response, uri.path());
            let status = response.status().as_u16();
            Span::current().record("status", status);
            debug!(status, "answered");
            if is_head { without_body(response) } else { response }
        }
        .instrument(span)
    }

    /// Returns the request with a body that is bounded in bytes and time, or the answer to one that is refused.
    fn admit(&self, request: Request) -> Result<(Request, Late), BoxFuture<'static, Response>> {
        let refused = |response| Box::pin(std::future::ready(response));
        let (parts, body) = request.into_parts();
        if parts.extensions.get::<OnSpareConnection>().is_some() && !self.is_own_path(parts.uri.path()) {
            return Err(refused(overloaded("the server has as many connections as it takes")));
        }
        if let Some(fault) = self.protection.as_ref().and_then(|protection| protection.check(&parts).err()) {
            return Err(refused(problem(&fault)));
        }
        let limits = self.limits;
        let announced = parts.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        let announced: Option<u64> = announced.and_then(|length| length.parse().ok());
        if announced.is_some_and(|bytes| bytes > u64::try_from(limits.body_bytes).unwrap_or(u64::MAX)) {
            // Reading the body would ask a client for it that waits for permission to send it.
            let waits_for_permission = parts.headers.contains_key(header::EXPECT);
            return Err(Box::pin(async move {
                if !waits_for_permission {
                    let _ = timeout(LINGER, discard(body)).await;
                }
                closing(problem(&too_large()))
            }));
        }
        let (body, late) = Timed::new(Limited::new(body, limits.body_bytes), limits.body_time);
        Ok((Request::from_parts(parts, Body::new(body)), late))
    }

    /// Returns the response of what is inside.
    fn answered(&self, answer: std::thread::Result<Response>, late: &Late) -> Response {
        match answer {
            // An extractor without a time limit reports a body that broke off.
            Ok(response) if late.is_late() && response.status().is_client_error() => {
                closing(problem(&Late::fault(self.limits.body_time)))
            }
            Ok(response) => response,
            Err(panic) => {
                error!(reason = panic_message(&*panic), "a layer or a router panicked");
                problem(&Fault::internal())
            }
        }
    }

    /// Returns whether a path is under the service's own paths.
    pub(super) fn is_own_path(&self, path: &str) -> bool {
        let below = self.own_paths.as_ref().and_then(|own| path.strip_prefix(own.as_str()));
        below.is_some_and(|below| below.starts_with('/'))
    }
}

/// Leaves out the body of a response to HEAD, but announces its length.
fn without_body(mut response: Response) -> Response {
    let length = response.body().size_hint().exact();
    if let Some(length) = length.filter(|_| !response.headers().contains_key(header::CONTENT_LENGTH)) {
        response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    }
    *response.body_mut() = Body::empty();
    response
}

async fn discard(mut body: Body) {
    while let Some(Ok(_)) = body.frame().await {}
}

/// What is left of the body isn't read, so nothing else can come over this connection.
fn closing(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
