//! An HTTP client that sends requests to the router in memory.

use std::future::IntoFuture;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::{HeaderName, HeaderValue, Method, Request, Uri};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body_util::BodyExt as _;
use serde::Serialize;
use tokio::time::timeout;

use super::response::TestResponse;
use crate::http::Server;

/// The time limit for the body of a response, by the clock of the test.
const BODY_WITHIN: Duration = Duration::from_secs(30);

/// An HTTP client of the application, returned by [`TestApp::http`](super::TestApp::http).
///
/// It sends requests to the router in memory, without a connection. Layers, limits of bodies and error responses are those of
/// production.
///
/// ```
/// use daebus::prelude::*;
/// use daebus::testing::TestApp;
///
/// #[route("/double/<number>")]
/// async fn double(number: u64) -> Json<u64> {
///     Json(2 * number)
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let app = TestApp::new(
///     Daebus::new("math").register(blueprint_of!["math"; double]),
/// )
/// .await;
/// app.http().get("/double/21").await.assert_status(200).assert_json(42);
/// app.http().post("/double/21").await.assert_status(405);
/// app.finish().await;
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct TestHttp<'a> {
    server: &'a Server,
}

impl<'a> TestHttp<'a> {
    pub(super) fn new(server: &'a Server) -> Self {
        Self { server }
    }

    /// Returns a GET request. The path may have a query: `"/api/users?page=2"`.
    pub fn get(self, path: &str) -> TestRequest<'a> {
        self.request(Method::GET, path)
    }

    /// Returns a POST request.
    pub fn post(self, path: &str) -> TestRequest<'a> {
        self.request(Method::POST, path)
    }

    /// Returns a PUT request.
    pub fn put(self, path: &str) -> TestRequest<'a> {
        self.request(Method::PUT, path)
    }

    /// Returns a PATCH request.
    pub fn patch(self, path: &str) -> TestRequest<'a> {
        self.request(Method::PATCH, path)
    }

    /// Returns a DELETE request.
    pub fn delete(self, path: &str) -> TestRequest<'a> {
        self.request(Method::DELETE, path)
    }

    /// Returns a request with any method.
    ///
    /// # Panics
    ///
    /// Panics if the path doesn't begin with `/`, or contains characters that must be percent-encoded.
    #[track_caller]
    pub fn request(self, method: Method, path: &str) -> TestRequest<'a> {
        let uri = path.parse::<Uri>().ok().filter(|_| path.starts_with('/'));
        let Some(uri) = uri else {
            panic!(
                "{path:?} is not a path: it must begin with `/`, with spaces and non-ASCII characters percent-encoded"
            );
        };
        let mut request = Request::new(Body::empty());
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        request.headers_mut().insert(HOST, HeaderValue::from_static("localhost"));
        TestRequest { server: self.server, request }
    }
}

/// A request of a [`TestHttp`] client. Awaiting it sends the request and returns a [`TestResponse`].
#[derive(Debug)]
#[must_use = "a request is only sent when it is awaited"]
pub struct TestRequest<'a> {
    server: &'a Server,
    request: Request<Body>,
}

impl TestRequest<'_> {
    /// Sets a JSON body.
    ///
    /// # Panics
    ///
    /// Panics if the value can't be serialized as JSON.
    #[track_caller]
    pub fn json(self, value: impl Serialize) -> Self {
        match serde_json::to_vec(&value) {
            Ok(json) => self.header(CONTENT_TYPE.as_str(), "application/json").body(json),
            Err(error) => panic!("the body can't be serialized as JSON: {error}"),
        }
    }

    /// Sets an urlencoded body, as sent by an HTML form.
    ///
    /// # Panics
    ///
    /// Panics if the value doesn't consist of named strings, numbers, or lists of these.
    #[track_caller]
    pub fn form(self, value: impl Serialize) -> Self {
        match serde_html_form::to_string(&value) {
            Ok(form) => self.header(CONTENT_TYPE.as_str(), "application/x-www-form-urlencoded").body(form),
            Err(error) => panic!("the body can't be serialized as a form: {error}"),
        }
    }

    /// Sets the bytes of the body, without a content type.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        *self.request.body_mut() = Body::from(body.into());
        self
    }

    /// Sets a header. Replaces headers of the same name.
    ///
    /// # Panics
    ///
    /// Panics if the name or the value is not valid in HTTP.
    #[track_caller]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let (Ok(header), Ok(text)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) else {
            panic!("invalid header {name:?}: {value:?}");
        };
        self.request.headers_mut().insert(header, text);
        self
    }

    async fn send(self) -> TestResponse {
        let what = format!("{} {}", self.request.method(), self.request.uri());
        let (head, body) = self.server.answer(self.request).await.into_parts();
        let Ok(collected) = timeout(BODY_WITHIN, body.collect()).await else {
            panic!("{what}: the response body didn't end within {BODY_WITHIN:?}");
        };
        match collected {
            Ok(body) => TestResponse::new(what, head.status, head.headers, body.to_bytes()),
            Err(error) => panic!("{what}: the response body ended with an error: {error}"),
        }
    }
}

impl<'a> IntoFuture for TestRequest<'a> {
    type Output = TestResponse;
    type IntoFuture = BoxFuture<'a, TestResponse>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}
