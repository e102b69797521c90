//! Handles requests that match no route: by the application's own router, then by files, then with 404.

use axum::Router;
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use tower::ServiceExt as _;

use super::assets::{AssetService, copy};
use super::problem::{is_bare, unknown_path};

/// Handles requests that match no route.
#[derive(Debug, Clone)]
pub(super) struct Fallback {
    pub(super) router: Option<Router>,
    pub(super) assets: Option<AssetService>,
}

impl Fallback {
    /// Adds the fallback to the router of all routes.
    pub(super) fn onto(self, router: Router) -> Router {
        router.fallback(async move |request: Request| self.answer(request).await)
    }

    async fn answer(self, request: Request) -> Response {
        let assets = self.assets.filter(|_| matches!(*request.method(), Method::GET | Method::HEAD));
        let again = assets.map(|assets| (assets, copy(&request)));
        let response = match self.router {
            Some(router) => {
                let Ok(response) = router.oneshot(request).await;
                response
            }
            None => unknown_path(),
        };
        if !has_no_such_path(&response) {
            return response;
        }
        let response = match again {
            Some((assets, request)) => assets.answer(request).await,
            None => response,
        };
        if has_no_such_path(&response) { unknown_path() } else { response }
    }
}

/// Returns whether a router has no such path: its response is then a 404 without a body, unless the application gave it
/// a fallback of its own.
pub(super) fn has_no_such_path(response: &Response) -> bool {
    response.status() == StatusCode::NOT_FOUND && is_bare(response)
}
