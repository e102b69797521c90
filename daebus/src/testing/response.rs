//! The response to an HTTP request of a test, with assertions.

use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The response to a request of a [`TestHttp`](super::TestHttp) client.
#[derive(Debug, Clone)]
#[must_use = "inspect the response, or assert something about it"]
pub struct TestResponse {
    /// The request, for messages of failed assertions.
    request: String,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl TestResponse {
    pub(super) fn new(request: String, status: StatusCode, headers: HeaderMap, body: Bytes) -> Self {
        Self { request, status, headers, body }
    }

    /// Returns the status code.
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// Returns the value of a header, or `None` if it is missing or not text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns all headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Returns the bytes of the body.
    pub fn bytes(&self) -> &Bytes {
        &self.body
    }

    /// Returns the body as text.
    ///
    /// # Panics
    ///
    /// Panics if the body isn't UTF-8.
    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body)
            .unwrap_or_else(|error| panic!("{}: the body isn't UTF-8: {error}", self.request))
    }

    /// Deserializes the body from JSON.
    ///
    /// # Panics
    ///
    /// Panics if the body isn't JSON, or can't be deserialized as `T`.
    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{self}\ncan't deserialize the body: {error}"))
    }

    /// Asserts the status code.
    ///
    /// # Panics
    ///
    /// Panics if the assertion fails. The message contains the body.
    #[track_caller]
    pub fn assert_status(&self, status: u16) -> &Self {
        assert!(self.status.as_u16() == status, "{self}\nexpected status {status}");
        self
    }

    /// Asserts that the body is this JSON.
    ///
    /// # Panics
    ///
    /// Panics if the assertion fails.
    #[track_caller]
    pub fn assert_json(&self, expected: impl Into<Value>) -> &Self {
        let expected = expected.into();
        assert!(
            serde_json::from_slice::<Value>(&self.body).is_ok_and(|body| body == expected),
            "{self}\nexpected body {expected}"
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
