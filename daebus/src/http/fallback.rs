//! Handles requests that match no route: by the application's own router, then by files, then with 404.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use tower::ServiceExt as _;
use tower_http::services::ServeDir;

use super::problem::is_bare;

/// Handles requests that match no route.
#[derive(Debug, Clone)]
pub(super) struct Fallback {
    pub(super) router: Option<Router>,
    pub(super) assets: Option<ServeDir>,
}

impl Fallback {
    /// Adds the fallback to the router of all routes.
    pub(super) fn onto(self, router: Router) -> Router {
        router.fallback(async move |request: Request| self.answer(request).await)
    }

    async fn answer(self, request: Request) -> Response {
        let assets = self.assets.filter(|_| matches!(*request.method(), Method::GET | Method::HEAD));
        let Some(router) = self.router else {
            return match assets {
                Some(assets) => file(assets, request).await,
                None => StatusCode::NOT_FOUND.into_response(),
            };
        };
        let Some(assets) = assets else {
            let Ok(response) = router.oneshot(request).await;
            return response;
        };
        let (head, body) = request.into_parts();
        let again = Request::from_parts(head.clone(), Body::empty());
        let Ok(response) = router.oneshot(Request::from_parts(head, body)).await;
        if has_no_such_path(&response) { file(assets, again).await } else { response }
    }
}

async fn file(assets: ServeDir, request: Request) -> Response {
    let Ok(response) = assets.oneshot(request).await;
    response.into_response()
}

/// Returns whether a router has no such path: its response is then a 404 without a body, unless the application gave it
/// a fallback of its own.
pub(super) fn has_no_such_path(response: &Response) -> bool {
    response.status() == StatusCode::NOT_FOUND && is_bare(response)
}
