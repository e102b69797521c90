//! Which OPTIONS requests CORS answers: preflights of browsers for paths that exist.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{Method, Uri, header};
use axum::middleware::Next;
use axum::response::Response;
use axum::routing::any;
use tower::ServiceExt as _;

use super::assets::{AssetService, copy};
use super::fallback::has_no_such_path;
use super::places::OnSpareConnection;

/// Decides which OPTIONS requests are preflights. `CorsLayer` takes every OPTIONS request for one.
#[derive(Debug, Clone)]
pub(super) struct Preflights {
    /// Answers the paths of routes. `None`: every path may exist, since the application's own router can't be asked.
    pub(super) paths: Option<Arc<Router>>,
    pub(super) assets: Option<AssetService>,
    pub(super) prefix: Arc<str>,
}

/// Marks a request that `CorsLayer` must not take for a preflight.
#[derive(Debug, Clone, Copy)]
struct IsOptions;

impl Preflights {
    /// Returns a router that answers each of these paths, which are patterns of axum's.
    pub(super) fn router(paths: impl IntoIterator<Item = String>) -> Arc<Router> {
        let add = |router: Router, path: String| router.route(&path, any(async || ()));
        Arc::new(paths.into_iter().fold(Router::new().without_v07_checks(), add))
    }

    /// Surrounds `CorsLayer`. An OPTIONS request that is no preflight passes it under another method.
    pub(super) async fn around_cors(self, mut request: Request, next: Next) -> Response {
        if request.method() == Method::OPTIONS
            && !(is_preflight(&request) && self.has_path(request.uri().clone()).await)
        {
            *request.method_mut() = Method::GET;
            request.extensions_mut().insert(IsOptions);
        }
        next.run(request).await
    }

    /// Stands inside of `CorsLayer`, and restores the method.
    pub(super) async fn inside_cors(mut request: Request, next: Next) -> Response {
        if request.extensions_mut().remove::<IsOptions>().is_some() {
            *request.method_mut() = Method::OPTIONS;
        }
        next.run(request).await
    }

    async fn has_path(&self, uri: Uri) -> bool {
        let Some(paths) = &self.paths else { return true };
        let path = match uri.path().strip_prefix(&*self.prefix) {
            Some("") => "/",
            Some(path) if path.starts_with('/') => path,
            _ => return false,
        };
        let asked = Request::builder().method(Method::HEAD).uri(path).body(Body::empty());
        let Ok(asked) = asked else { return false };
        if let Some(assets) = self.assets.clone()
            && assets.has(copy(&asked)).await
        {
            return true;
        }
        let Ok(response) = (**paths).clone().oneshot(asked).await;
        !has_no_such_path(&response)
    }
}

fn is_preflight(request: &Request) -> bool {
    let headers = request.headers();
    // On a spare connection it is refused, as every other request.
    request.extensions().get::<OnSpareConnection>().is_none()
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}
