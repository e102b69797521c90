//! The pipeline of a request: CORS, checks, the service's own paths, layers and routes.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use futures_util::FutureExt as _;
use futures_util::future::Either;
use tower::ServiceExt as _;
use tower_http::cors::CorsLayer;
use tower_layer::Layer as _;

use super::builder::Http;
use super::preflights::Preflights;
use super::probes::{self, Metrics};
use super::problem::unknown_path;
use super::request_checks::RequestChecks;
use crate::handler::Core;

/// A router without axum's limit on bodies: the bound of [`RequestChecks`] holds for every body, and axum's own would be a
/// second one, for some.
type UnlimitedRouter = <DefaultBodyLimit as tower_layer::Layer<Router>>::Service;

/// The pipeline of a request, from the outside inwards: CORS, the checks, the service's own paths, and the application's
/// layers.
///
/// Each layer of a router costs several allocations per request, so only CORS, which is mostly absent, is one.
#[derive(Debug)]
pub(crate) enum Pipeline {
    Direct(Arc<CheckedRouter>),
    WithCors(Router),
}

/// The request checks, and the routers that they wrap.
#[derive(Debug)]
pub(crate) struct CheckedRouter {
    checks: Arc<RequestChecks>,
    /// The service's own paths, unless `inner` has them.
    own: Option<UnlimitedRouter>,
    inner: UnlimitedRouter,
}

impl Pipeline {
    /// Adds what surrounds the routes and the application's layers. `started` is `None` while the service starts.
    pub(super) fn new(
        inner: Router,
        http: &Http,
        cors: Option<(CorsLayer, Preflights)>,
        checks: Arc<RequestChecks>,
        started: Option<(&Arc<Core>, &Metrics)>,
    ) -> Self {
        let mut own =
            http.has_service_routes.then(|| probes::routes(started).fallback_service(inner.clone()));
        if let Some(module) = http.script {
            own = Some(probes::script(module).fallback_service(own.unwrap_or_else(|| inner.clone())));
        }
        let (own, inner) = if http.prefix.is_empty() {
            (own, inner)
        } else {
            let nested = Router::new().without_v07_checks().nest_service(&http.prefix, own.unwrap_or(inner));
            (None, nested.fallback(async || unknown_path()))
        };
        // With its state, a router makes its services once, and not for each request.
        let unlimited = |router: Router| DefaultBodyLimit::disable().layer(router.with_state(()));
        let checked = Arc::new(CheckedRouter { checks, own: own.map(unlimited), inner: unlimited(inner) });
        let Some((layer, preflights)) = cors else { return Self::Direct(checked) };
        let around = move |request: Request, next: Next| preflights.clone().around_cors(request, next);
        let checked = tower::service_fn(move |request| Arc::clone(&checked).answer(request).map(Ok));
        let router = Router::new().fallback_service(checked);
        Self::WithCors(router.layer(from_fn(Preflights::inside_cors)).layer(layer).layer(from_fn(around)))
    }

    /// Answers a request.
    pub(super) fn answer(&self, request: Request) -> impl Future<Output = Response> + Send + use<> {
        match self {
            Self::Direct(checked) => Either::Left(Arc::clone(checked).answer(request)),
            Self::WithCors(router) => {
                Either::Right(router.clone().oneshot(request).map(|Ok(response)| response))
            }
        }
    }
}

impl CheckedRouter {
    fn answer(self: Arc<Self>, request: Request) -> impl Future<Output = Response> + Send + use<> {
        Arc::clone(&self.checks).pass(request, move |request| {
            let own = self.own.as_ref().filter(|_| self.checks.is_own_path(request.uri().path()));
            own.unwrap_or(&self.inner).clone().oneshot(request).map(|Ok(response)| response)
        })
    }
}
