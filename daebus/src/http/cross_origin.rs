//! Refuses requests that change state if a page of another origin makes them.

use axum::http::header::{COOKIE, HOST, HeaderName, ORIGIN};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, Uri};
use daebus_caller::wire::Fault;
use url::Url;

use super::cors::Cors;

static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses requests that change state if a page of another origin makes them: a browser sends a form of any page, with the
/// cookies of this service's users. The rules are those of Go's `http.CrossOriginProtection`.
#[derive(Debug)]
pub(super) struct CrossOriginProtection {
    /// `None`: every origin is allowed, without cookies.
    allowed: Option<Vec<String>>,
}

impl CrossOriginProtection {
    /// The origins that CORS allows are trusted.
    pub(super) fn new(cors: Option<&Cors>) -> Self {
        Self { allowed: cors.map_or_else(|| Some(Vec::new()), Cors::origins) }
    }

    /// Checks a request. Clients that aren't browsers send neither `Sec-Fetch-Site` nor `Origin`, and pass.
    ///
    /// # Errors
    ///
    /// Returns the 403 of a page that may not make the request.
    pub(super) fn check(&self, request: &Parts) -> Result<(), Fault> {
        if matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS) {
            return Ok(());
        }
        let origin = text(&request.headers, &ORIGIN);
        let is_own = match (text(&request.headers, &SEC_FETCH_SITE), origin) {
            (Some(site), _) => matches!(site, "same-origin" | "none"),
            (None, Some(origin)) => is_host(origin, &request.headers, &request.uri, Ports::Compared),
            (None, None) => true,
        };
        let is_allowed = || match &self.allowed {
            Some(allowed) => origin.is_some_and(|origin| allowed.iter().any(|one| one == origin)),
            // Cookies show that a browser makes the request for a user who may not want it.
            None => !request.headers.contains_key(COOKIE),
        };
        if is_own || is_allowed() {
            return Ok(());
        }
        let page =
            origin.map_or_else(|| "another origin".to_owned(), |origin| format!("the origin {origin:?}"));
        let reason = format!(
            "a page of {page} may not send {} requests to this service; the service allows it by naming the origin in \
             Http::cors",
            request.method
        );
        Err(Fault::new("origin_not_allowed", reason).with_status(403))
    }
}

/// Returns a header that is text; one that isn't counts as empty, which no page may send.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or_default())
}

/// Whether a page on another port of the same host is one of another origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ports {
    Compared,
    Ignored,
}

/// Returns whether an origin is the host that the request is for. The scheme isn't compared: behind a proxy that terminates TLS
/// the service doesn't have it.
pub(crate) fn is_host(origin: &str, headers: &HeaderMap, uri: &Uri, ports: Ports) -> bool {
    let host = uri.authority().map(Authority::as_str).or_else(|| text(headers, &HOST));
    let (Some(host), Ok(origin)) = (host, Url::parse(origin)) else { return false };
    let Ok(host) = Url::parse(&format!("{}://{host}", origin.scheme())) else { return false };
    let is_same_port =
        ports == Ports::Ignored || origin.port_or_known_default() == host.port_or_known_default();
    is_same_port && origin.host().is_some() && origin.host() == host.host()
}
