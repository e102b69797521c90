//! Requests whose path a route has, and whose method none has: 405 with `Allow`.

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use axum::routing::MethodRouter;
use tower::ServiceExt as _;

use super::fallback::knows_nothing;

/// Answers the methods that `methods` lacks: by `own`, the application's router, which may have the path too, and else with
/// 405. `MethodRouter` adds the header `Allow`.
pub(super) fn answer(methods: MethodRouter, own: Option<&Router>) -> MethodRouter {
    // Without a fallback, `MethodRouter` answers 405 itself.
    let Some(own) = own.cloned() else { return methods };
    methods.fallback(async move |request: Request| {
        let Ok(response) = own.oneshot(request).await;
        if knows_nothing(&response) { StatusCode::METHOD_NOT_ALLOWED.into_response() } else { response }
    })
}
