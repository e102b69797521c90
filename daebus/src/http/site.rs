//! The routers of a server, while the service starts and from then on.

use std::sync::OnceLock;

use axum::Router;

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

    /// Returns the router of the next request.
    pub(super) fn router(&self) -> Router {
        self.started.get().unwrap_or(&self.starting).clone()
    }
}
