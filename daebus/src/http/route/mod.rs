//! One annotated function at one path: what it takes out of an HTTP request, and how its value becomes a response.

mod answer;
mod argument;
mod body;
mod canonical_path;
mod form;
mod parameter;
mod pattern;
mod payload;
mod refusal;
mod request;

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use futures_util::future::BoxFuture;

pub use answer::{
    RouteRet, RouteViaNothing, RouteViaResponse, RouteViaResult, RouteViaResultResponse,
    RouteViaResultStream, RouteViaStream, RouteViaUnit, RouteViaValue,
};
pub use argument::{RouteArg, argument};
pub(crate) use body::{Late, Timed, too_large};
pub(crate) use canonical_path::canonical;
pub use parameter::{PathParameter, parameter};
pub(crate) use pattern::{Pattern, Segment};
pub use refusal::Answered;
pub(crate) use refusal::Refusal;
pub use request::RouteRequest;

use crate::handler::layer::AnyLayer;
use crate::handler::{Answer, Definition, Endpoint, Outcome};
use crate::http::layer::{AnyHttpLayer, HttpLayer};

type Run = Arc<dyn Fn(RouteRequest) -> BoxFuture<'static, Answered> + Send + Sync>;

/// A handler and the paths and methods that reach it. `#[route]` writes these; [`Blueprint`](crate::Blueprint)
/// collects them.
#[derive(Clone)]
pub struct Route {
    pub(crate) methods: &'static [&'static str],
    pub(crate) pattern: &'static str,
    /// The blueprint's.
    pub(crate) prefix: String,
    pub(crate) status: u16,
    /// `None`: GET and HEAD are cancelled, other methods run to completion.
    pub(crate) cancel_on_disconnect: Option<bool>,
    pub(crate) definition: Definition,
    /// Those of the blueprint and then those of the application; the last one is the outermost.
    pub(crate) layers: Vec<AnyLayer>,
    /// Tower layers around the request, in the same order.
    pub(crate) http_layers: Vec<AnyHttpLayer>,
    pub(crate) run: Run,
}

impl Route {
    /// Answers requests to a path.
    pub fn new<F, Fut>(
        methods: &'static [&'static str],
        pattern: &'static str,
        definition: Definition,
        run: F,
    ) -> Self
    where
        F: Fn(RouteRequest) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Answered> + Send + 'static,
    {
        Self {
            methods,
            pattern,
            prefix: String::new(),
            status: 200,
            cancel_on_disconnect: None,
            definition,
            layers: Vec::new(),
            http_layers: Vec::new(),
            run: Arc::new(move |request| Box::pin(run(request))),
        }
    }

    /// The status of an answer that would be a 200 otherwise.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Sets whether the handler is cancelled when the client disconnects, for every method.
    #[must_use]
    pub fn cancel_on_disconnect(mut self, cancel: bool) -> Self {
        self.cancel_on_disconnect = Some(cancel);
        self
    }

    /// Wraps the route in a tower layer; the last layer added is outermost.
    #[must_use]
    pub fn layer(mut self, layer: impl HttpLayer) -> Self {
        self.http_layers.push(AnyHttpLayer::new(layer));
        self
    }

    /// Returns the handler, wrapped in its layers.
    pub(crate) fn endpoint(&self) -> Endpoint {
        let (run, status) = (Arc::clone(&self.run), self.status);
        let endpoint =
            Endpoint::new(self.definition.clone(), move |cx| answer(run(RouteRequest::new(cx)), status));
        endpoint.layered(&self.layers)
    }

    /// The whole pattern, the blueprint's prefix before it.
    pub(crate) fn path(&self) -> String {
        match (self.prefix.as_str(), self.pattern) {
            ("", pattern) => pattern.to_owned(),
            // The blueprint's root is the prefix itself.
            (prefix, "/") => prefix.to_owned(),
            (prefix, pattern) => format!("{prefix}{pattern}"),
        }
    }
}

/// Awaits the handler, and sets the route's status on a response that would be a 200 otherwise.
async fn answer(handler: BoxFuture<'static, Answered>, status: u16) -> Outcome {
    match handler.await {
        Ok(mut answer) => {
            if let Some(response) = answer.http_mut()
                && response.status() == StatusCode::OK
            {
                set_status(response, status);
            }
            Ok(answer)
        }
        Err(Refusal::Response(response)) => Ok(Answer::from(*response)),
        Err(Refusal::Failure(failure)) => Err(failure),
    }
}

/// Sets the status of a successful response. 204 and 205 have no body, and `()` would be `{}`.
pub(crate) fn set_status(response: &mut Response, status: u16) {
    let Ok(status) = StatusCode::from_u16(status) else { return };
    if matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT) {
        *response = status.into_response();
    } else {
        *response.status_mut() = status;
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.methods.join(", "), self.path())
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route")
            .field("methods", &self.methods)
            .field("path", &self.path())
            .field("source", &self.definition.source)
            .finish_non_exhaustive()
    }
}
