//! The HTTP request that a WebSocket connection begins with.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::ConnectInfo;
use axum::http::header::ORIGIN;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};
use daebus_caller::wire::{Fault, Headers, RawJson};
use url::form_urlencoded;

use crate::handler::first_headers;
use crate::http::{Ports, is_host};

/// The HTTP request that a WebSocket connection begins with; what [`WebSocket::client_ids`](crate::WebSocket::client_ids)
/// makes an id of.
#[derive(Debug, Clone)]
pub struct Upgrade {
    pub(super) path: String,
    pub(super) query: BTreeMap<String, String>,
    pub(super) headers: Arc<Headers>,
    pub(super) address: Option<SocketAddr>,
}

impl Upgrade {
    pub(super) fn of(parts: &Parts) -> Self {
        let query = parts.uri.query().unwrap_or_default();
        Self {
            path: parts.uri.path().to_owned(),
            query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            headers: Arc::new(first_headers(&parts.headers)),
            address: parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0),
        }
    }

    /// The path asked for.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The query; of parameters given twice the last.
    pub fn query(&self) -> &BTreeMap<String, String> {
        &self.query
    }

    /// Returns the first header of each name, the names in lower case. Headers that aren't text are left out.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The address that the request comes from: that of the proxy behind one. `None` if the server has none.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// The query as `connect` and `disconnect` handlers get it.
    pub(super) fn data(&self) -> RawJson {
        RawJson::from_value(&self.query).unwrap_or_else(|_| RawJson::empty_object())
    }
}

/// Refuses pages that may not connect: those of an origin that isn't allowed or, where nothing is said, of another
/// host. Whatever isn't a browser sends no origin, and is not asked for one.
pub(super) fn check_origin(allowed: Option<&[String]>, headers: &HeaderMap, uri: &Uri) -> Result<(), Fault> {
    let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or_default();
    let fits = match allowed {
        Some(allowed) => {
            allowed.iter().any(|allowed| allowed == "*" || allowed.trim_end_matches('/') == origin)
        }
        // A page's socket is often on another port.
        None => is_host(origin, headers, uri, Ports::Ignored),
    };
    if fits {
        return Ok(());
    }
    let reason = format!(
        "pages of the origin {origin:?} may not connect here; the service allows them with \
         WebSocket::new().origins([{origin:?}])"
    );
    Err(Fault::new("origin_not_allowed", reason).with_status(403))
}

#[cfg(test)]
mod tests {
    use axum::http::header::HOST;

    use super::*;

    #[track_caller]
    fn check(allowed: Option<&[&str]>, origin: Option<&str>, expected: bool) {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, "Kiosk.local:8080".parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        let allowed: Option<Vec<String>> =
            allowed.map(|allowed| allowed.iter().map(|origin| (*origin).to_owned()).collect());
        let result = check_origin(allowed.as_deref(), &headers, &Uri::from_static("/ws"));
        assert_eq!(result.is_ok(), expected, "{allowed:?} {origin:?}");
    }

    #[test]
    fn pages_of_the_same_host_may_connect() {
        check(None, None, true);
        check(None, Some("http://kiosk.local:8080"), true);
        check(None, Some("https://kiosk.local"), true);
        check(None, Some("http://kiosk.local:3000"), true);
        check(None, Some("http://evil.example"), false);
        check(None, Some("http://kiosk.local.evil.example"), false);
        check(None, Some("null"), false);
    }

    #[test]
    fn the_first_of_two_headers_counts() {
        let request = axum::http::Request::builder().header("token", "first").header("Token", "second");
        let (parts, ()) = request.body(()).unwrap().into_parts();
        assert_eq!(Upgrade::of(&parts).headers()["token"], "first");
    }

    #[test]
    fn a_list_says_it_all() {
        check(Some(&["https://a.example/"]), Some("https://a.example"), true);
        check(Some(&["https://a.example"]), Some("http://a.example"), false);
        check(Some(&["https://a.example"]), Some("http://kiosk.local:8080"), false);
        check(Some(&["https://a.example"]), None, true);
        check(Some(&["*"]), Some("null"), true);
        check(Some(&[]), Some("http://kiosk.local:8080"), false);
    }
}
