//! The routers of a server, while the service starts and from then on.

use std::sync::OnceLock;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use tower::ServiceExt as _;

use super::route::canonical;

/// The router that answers while the service starts, and the one that replaces it.
#[derive(Debug)]
pub(super) struct Site {
    starting: Router,
    started: OnceLock<Router>,
}

impl Site {
    pub(super) fn new(starting: Router) -> Self {
        Self { starting, started: OnceLock::new() }
    }

    /// Replaces the router, for requests on existing connections as well. The first one counts.
    pub(super) fn open(&self, router: Router) {
        let _ = self.started.set(router);
    }

    /// Answers a request.
    pub(super) fn answer(&self, request: Request) -> impl Future<Output = Response> + Send + use<> {
        let router = self.started.get().unwrap_or(&self.starting).clone();
        async move {
            let Ok(response) = router.oneshot(canonical(request)).await;
            response
        }
    }
}
