//! The checked configuration of an HTTP server, and the pipeline that is built from it.

use std::sync::Arc;

use axum::Router;
use tokio::net::TcpListener;
use tower_http::cors::CorsLayer;

use super::builder::Http;
use super::cross_origin::CrossOriginProtection;
use super::endpoint::RouteRuntime;
use super::fallback::Fallback;
use super::limits::HttpLimits;
use super::pipeline::Pipeline;
use super::preflights::Preflights;
use super::probes::{self, Metrics};
use super::request_checks::RequestChecks;
use super::route::Route;
use super::routing_table::{PathService, RoutingTable, encoded_prefix};
use crate::error::{Error, Mistake};
use crate::runtime::address;

/// The checked configuration of an HTTP server.
#[derive(Debug)]
pub(crate) struct Plan {
    http: Http,
    table: RoutingTable,
    fallback: Fallback,
    cors: Option<CorsLayer>,
    checks: Arc<RequestChecks>,
}

impl Plan {
    /// Puts a server together: the routes, and whatever else answers at a path of its own.
    ///
    /// # Errors
    ///
    /// Every mistake, each a sentence that says what to do.
    pub(crate) fn new(
        mut http: Http,
        routes: &[Arc<Route>],
        services: Vec<PathService>,
    ) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let mut table = RoutingTable::default();
        for route in routes {
            mistakes.extend(table.add_route(Arc::clone(route)).err());
        }
        for service in services {
            mistakes.extend(table.add_service(service).err());
        }
        if http.has_service_routes {
            mistakes.extend(table.under(probes::ROOT).into_iter().map(|entry| {
                Mistake::new(format!(
                    "{entry} is under {}, where the service's own paths are: move it, or call .service_routes(false)",
                    probes::ROOT
                ))
            }));
        }
        if http.routers > 1 {
            mistakes.push(Mistake::new("Http::router was called twice: merge the routers first, a.merge(b)"));
        }
        let wrong = address(&http.address).err();
        mistakes.extend(wrong.map(|error| Mistake::new(error.to_string()).at("the address to bind")));
        match encoded_prefix(&http.prefix) {
            Ok(prefix) => http.prefix = prefix,
            Err(mistake) => mistakes.push(mistake.at("Http::prefix")),
        }
        let mut collect = |mistake: Mistake| mistakes.push(mistake);
        let assets =
            http.assets.take().and_then(|assets| assets.service(&http.prefix).map_err(&mut collect).ok());
        let protection =
            http.protects_from_other_origins.then(|| CrossOriginProtection::new(http.cors.as_ref()));
        let has_own_paths = http.has_service_routes || http.script.is_some();
        let own_paths = has_own_paths.then(|| format!("{}{}", http.prefix, probes::ROOT));
        let checks = Arc::new(RequestChecks { limits: http.limits, protection, own_paths });
        let cors = http.cors.take().map(|cors| cors.layer()).transpose();
        let cors = cors.map_err(|found| mistakes.extend(found)).unwrap_or_default();
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let fallback = Fallback { router: http.router.take(), assets };
        Ok(Self { http, table, fallback, cors, checks })
    }

    /// Takes the address. `what` says for what, in the error.
    ///
    /// # Errors
    ///
    /// When it can't be had, because another process has it for example.
    pub(crate) async fn bind(&self, what: &'static str) -> Result<TcpListener, Error> {
        bind(what, &self.http.address).await
    }

    /// What everything is under; empty where nothing was said.
    pub(crate) fn prefix(&self) -> &str {
        &self.http.prefix
    }

    pub(crate) fn limits(&self) -> HttpLimits {
        self.http.limits
    }

    /// Returns what answers requests.
    ///
    /// From the outside in: CORS, since a preflight knows no logins; the bounds on a body and the words for errors; the
    /// service's own paths, which a probe asks for without a login; the application's layers; the routes.
    pub(crate) fn into_pipeline(self, runtime: &RouteRuntime, metrics: &Metrics) -> Pipeline {
        let Self { http, table, fallback, cors, checks } = self;
        let preflights = Preflights {
            paths: fallback.router.is_none().then(|| {
                let own =
                    http.has_service_routes.then_some(probes::PATHS).into_iter().flatten().map(str::to_owned);
                let script = http.script.map(|_| probes::SCRIPT.to_owned());
                Preflights::router(table.paths().chain(own).chain(script))
            }),
            assets: fallback.assets.clone(),
            prefix: http.prefix.as_str().into(),
        };
        let cors = cors.map(|cors| (cors, preflights));
        let paths = table.into_router(runtime, fallback.router.as_ref());
        let router = http.layers.iter().fold(fallback.onto(paths), |router, layer| layer.wrap(router));
        Pipeline::new(router, &http, cors, checks, Some((&runtime.core, metrics)))
    }

    /// Returns what answers while the service starts: the service's own paths, and 503 for all others.
    pub(crate) fn starting_pipeline(&self) -> Pipeline {
        let starting = Router::new().fallback(probes::starting);
        // Any path may be that of a route.
        let preflights = Preflights { paths: None, assets: None, prefix: Arc::default() };
        let cors = self.cors.clone().map(|cors| (cors, preflights));
        Pipeline::new(starting, &self.http, cors, Arc::clone(&self.checks), None)
    }
}

/// Takes an address to listen on. `what` says for what, in the error.
///
/// # Errors
///
/// When it can't be had, because another process has it for example.
pub(crate) async fn bind(what: &'static str, address: &str) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|source| Error::Bind {
        what,
        address: address.to_owned(),
        source,
    })
}
