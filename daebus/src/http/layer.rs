//! Tower layers around the router.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, Route};
use daebus_caller::BoxError;
use daebus_caller::wire::Fault;
use futures_util::future::BoxFuture;
use tower_layer::Layer;
use tower_service::Service;
use tracing::error;

use super::problem::problem;

/// A tower layer for HTTP routes. Implemented for every layer whose service takes a request, returns a response, and has
/// an error that converts into [`BoxError`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a layer for HTTP routes",
    note = "`Http::layer` takes tower layers whose service takes `axum::extract::Request` and can be cloned; for an async \
            function there is `axum::middleware::from_fn`"
)]
pub trait HttpLayer: Send + Sync + 'static {
    /// Wraps a router.
    fn wrap(&self, router: Router) -> Router;

    /// Wraps the routes of one path.
    fn wrap_routes(&self, routes: MethodRouter) -> MethodRouter;
}

impl<L> HttpLayer for L
where
    L: Layer<Route> + Clone + Send + Sync + 'static,
    L::Service: Service<Request, Response: IntoResponse + 'static, Error: Into<BoxError>, Future: Send + 'static>
        + Clone
        + Send
        + Sync
        + 'static,
{
    fn wrap(&self, router: Router) -> Router {
        router.layer(Worded(self.clone()))
    }

    fn wrap_routes(&self, routes: MethodRouter) -> MethodRouter {
        routes.route_layer(Worded(self.clone()))
    }
}

/// A layer of any type.
#[derive(Clone)]
pub(crate) struct AnyHttpLayer(Arc<dyn HttpLayer>);

impl AnyHttpLayer {
    pub(crate) fn new(layer: impl HttpLayer) -> Self {
        Self(Arc::new(layer))
    }

    pub(super) fn wrap(&self, router: Router) -> Router {
        self.0.wrap(router)
    }

    pub(super) fn wrap_routes(&self, routes: MethodRouter) -> MethodRouter {
        self.0.wrap_routes(routes)
    }
}

impl fmt::Debug for AnyHttpLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnyHttpLayer")
    }
}

/// Makes a response of a layer's error: axum's router takes only layers that have none, tower's own mostly do.
#[derive(Clone)]
struct Worded<L>(L);

impl<S, L: Layer<S>> Layer<S> for Worded<L> {
    type Service = Worded<L::Service>;

    fn layer(&self, inner: S) -> Self::Service {
        Worded(self.0.layer(inner))
    }
}

impl<S> Service<Request> for Worded<S>
where
    S: Service<Request, Response: IntoResponse + 'static, Error: Into<BoxError>, Future: Send + 'static>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // A service that isn't ready with an error says the same when it is called.
        self.0.poll_ready(cx).map(|_| Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let answer = self.0.call(request);
        Box::pin(async move {
            Ok(match answer.await {
                Ok(response) => response.into_response(),
                Err(reason) => {
                    let reason = reason.into();
                    error!(error = %reason, "a layer around the routes failed");
                    problem(&Fault::internal())
                }
            })
        })
    }
}
