//! Who answers what no route does: the application's own router, then files, then nobody.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::MethodRouter;
use tower::ServiceExt as _;
use tower_http::services::ServeDir;

use super::problem::is_bare;

/// Who answers what no route does.
#[derive(Debug, Clone)]
pub(super) struct Beyond {
    pub(super) router: Option<Router>,
    pub(super) assets: Option<ServeDir>,
}

impl Beyond {
    /// Behind a path's own methods: the others may be the router's. Without one axum's own 405 is all there is to say.
    pub(super) fn behind(&self, answers: MethodRouter) -> MethodRouter {
        let Some(router) = self.router.clone() else { return answers };
        answers.fallback(async move |request: Request| {
            let Ok(response) = router.oneshot(request).await;
            if knows_nothing(&response) { StatusCode::METHOD_NOT_ALLOWED.into_response() } else { response }
        })
    }

    /// Behind all paths.
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
        if knows_nothing(&response) { file(assets, again).await } else { response }
    }
}

async fn file(assets: ServeDir, request: Request) -> Response {
    let Ok(response) = assets.oneshot(request).await;
    response.into_response()
}

/// A router that has no such path says a bare 404, unless the application gave it a fallback of its own.
fn knows_nothing(response: &Response) -> bool {
    response.status() == StatusCode::NOT_FOUND && is_bare(response)
}
