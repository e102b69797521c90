//! What was answered over HTTP, and assertions about it.

use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The answer to a request that a test made; see [`TestHttp`](super::TestHttp).
#[derive(Debug, Clone)]
#[must_use = "look at the answer, or assert something about it"]
pub struct TestResponse {
    /// The request, for what is said when an assertion fails.
    request: String,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl TestResponse {
    pub(super) fn new(request: String, status: StatusCode, headers: HeaderMap, body: Bytes) -> Self {
        Self { request, status, headers, body }
    }

    /// The status: 200 and so on.
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// A header, if it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// All headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The body as it came.
    pub fn bytes(&self) -> &Bytes {
        &self.body
    }

    /// The body as text.
    ///
    /// # Panics
    ///
    /// When it isn't UTF-8.
    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body)
            .unwrap_or_else(|error| panic!("{}: the body isn't text: {error}", self.request))
    }

    /// The body, read as JSON.
    ///
    /// # Panics
    ///
    /// When it is no JSON, or no `T`.
    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{self}: the body can't be read: {error}"))
    }

    /// The status is this one.
    ///
    /// # Panics
    ///
    /// When it is another; the message has the body.
    #[track_caller]
    pub fn assert_status(&self, status: u16) -> &Self {
        assert!(self.status.as_u16() == status, "{self}\nexpected was {status}");
        self
    }

    /// The body is this JSON.
    ///
    /// # Panics
    ///
    /// When it isn't.
    #[track_caller]
    pub fn assert_json(&self, expected: impl Into<Value>) -> &Self {
        let expected = expected.into();
        assert!(
            serde_json::from_slice::<Value>(&self.body).is_ok_and(|body| body == expected),
            "{self}\nexpected was {expected}"
        );
        self
    }
}

impl std::fmt::Display for TestResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { request, status, body, .. } = self;
        write!(f, "{request} was answered with {status}\n{}", String::from_utf8_lossy(body))
    }
}
