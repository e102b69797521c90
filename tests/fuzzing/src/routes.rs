//! Patterns of routes, and the paths of requests.

use axum::Router;
use axum::http::Uri;
use axum::routing::get;

use crate::parsers::{RoutePattern, canonical_uri};

/// A pattern in the first line, a URI in the second: axum's router accepts every pattern that is valid; the canonical
/// spelling of a path is its own canonical spelling; and a path yields one value for each parameter.
pub fn route(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (pattern, uri) = text.split_once('\n').unwrap_or((&text, "/"));
    let uri = uri.parse::<Uri>().ok().map(canonical_uri);
    if let Some(uri) = &uri {
        assert_eq!(canonical_uri(uri.clone()), *uri, "the spelling isn't canonical");
    }
    let Some(pattern) = RoutePattern::parse(pattern) else { return };
    // Panics if the router refuses the path.
    let _router = Router::<()>::new().route(&pattern.to_axum(), get(async || ()));
    if let Some(values) = uri.and_then(|uri| pattern.values(uri.path())) {
        assert_eq!(values.len(), pattern.parameters());
    }
}
