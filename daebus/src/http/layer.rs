//! A tower layer of any kind around the router.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::Route;
use daebus_caller::BoxError;
use daebus_caller::wire::Fault;
use futures_util::future::BoxFuture;
use tower_layer::Layer;
use tower_service::Service;
use tracing::error;

use super::problem::problem;

/// A tower layer, applied by a closure.
#[derive(Clone)]
pub(super) struct HttpLayer(Arc<dyn Fn(Router) -> Router + Send + Sync>);

impl HttpLayer {
    pub(super) fn new<L>(layer: L) -> Self
    where
        L: Layer<Route> + Clone + Send + Sync + 'static,
        L::Service: Service<Request, Response: IntoResponse + 'static, Error: Into<BoxError>, Future: Send + 'static>
            + Clone
            + Send
            + Sync
            + 'static,
    {
        Self(Arc::new(move |router| router.layer(Worded(layer.clone()))))
    }

    pub(super) fn apply(&self, router: Router) -> Router {
        self.0(router)
    }
}

impl fmt::Debug for HttpLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpLayer")
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
