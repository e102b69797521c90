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
    type Service = WordedService<L::Service>;

    fn layer(&self, inner: S) -> Self::Service {
        WordedService { inner: self.0.layer(inner), failed: None }
    }
}

/// The service that [`Worded`] makes.
#[derive(Clone)]
struct WordedService<S> {
    inner: S,
    /// Why the service isn't ready. It may not be called then.
    failed: Option<Arc<BoxError>>,
}

impl<S> Service<Request> for WordedService<S>
where
    S: Service<Request, Response: IntoResponse + 'static, Error: Into<BoxError>, Future: Send + 'static>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx).map(|ready| {
            self.failed = ready.err().map(|reason| Arc::new(reason.into()));
            Ok(())
        })
    }

    fn call(&mut self, request: Request) -> Self::Future {
        if let Some(reason) = self.failed.take() {
            return Box::pin(std::future::ready(Ok(failed(&reason))));
        }
        let answer = self.inner.call(request);
        Box::pin(async move {
            Ok(match answer.await {
                Ok(response) => response.into_response(),
                Err(reason) => failed(&reason.into()),
            })
        })
    }
}

fn failed(reason: &BoxError) -> Response {
    error!(error = %reason, "a layer around the routes failed");
    problem(&Fault::internal())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::StatusCode;
    use tower::ServiceExt as _;
    use tower::util::BoxCloneSyncService;
    use tower_layer::layer_fn;

    use super::*;

    /// Isn't ready, and panics when it is called nevertheless.
    #[derive(Clone)]
    struct Closed;

    impl Service<Request> for Closed {
        type Response = Response;
        type Error = BoxError;
        type Future = std::future::Ready<Result<Response, BoxError>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            Poll::Ready(Err("closed".into()))
        }

        fn call(&mut self, _: Request) -> Self::Future {
            panic!("a service that isn't ready is called")
        }
    }

    #[tokio::test]
    async fn a_layer_that_is_not_ready_is_a_500() {
        let layer = Worded(layer_fn(|_: BoxCloneSyncService<Request, Response, Infallible>| Closed));
        let inner = tower::service_fn(async |_: Request| Ok(Response::new(Body::empty())));
        let service = layer.layer(BoxCloneSyncService::new(inner));
        let Ok(response) = service.oneshot(Request::new(Body::empty())).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}
