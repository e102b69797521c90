//! Responds with 405 and `Allow` if a route has the path but not the method.

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use axum::routing::MethodRouter;
use tower::ServiceExt as _;

use super::fallback::has_no_such_path;

/// Adds a fallback to the routes of a path: the application's own router if it has the path, else 405 with `Allow`.
pub(super) fn answer(methods: MethodRouter, own: Option<&Router>) -> MethodRouter {
    // Without a fallback, `MethodRouter` answers 405 itself.
    let Some(own) = own.cloned() else { return methods };
    methods.fallback(async move |request: Request| {
        let Ok(response) = own.oneshot(request).await;
        if has_no_such_path(&response) { StatusCode::METHOD_NOT_ALLOWED.into_response() } else { response }
    })
}
