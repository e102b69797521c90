//! Requests that go into the router without a network.

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

/// How long an answer's body may take, by the clock of the test.
const BODY_WITHIN: Duration = Duration::from_secs(30);

/// An HTTP client of the application, made by [`TestApp::http`](super::TestApp::http). What it sends goes into the router
/// in memory: layers, limits on bodies and error answers are there as in production, connections are not.
#[derive(Debug, Clone, Copy)]
pub struct TestHttp<'a> {
    server: &'a Server,
}

impl<'a> TestHttp<'a> {
    pub(super) fn new(server: &'a Server) -> Self {
        Self { server }
    }

    /// A GET. The path may have a query: `"/api/users?page=2"`.
    pub fn get(self, path: &str) -> TestRequest<'a> {
        self.request(Method::GET, path)
    }

    /// A POST.
    pub fn post(self, path: &str) -> TestRequest<'a> {
        self.request(Method::POST, path)
    }

    /// A PUT.
    pub fn put(self, path: &str) -> TestRequest<'a> {
        self.request(Method::PUT, path)
    }

    /// A PATCH.
    pub fn patch(self, path: &str) -> TestRequest<'a> {
        self.request(Method::PATCH, path)
    }

    /// A DELETE.
    pub fn delete(self, path: &str) -> TestRequest<'a> {
        self.request(Method::DELETE, path)
    }

    /// A request with any method.
    ///
    /// # Panics
    ///
    /// When the path doesn't begin with `/`, or has characters in it that are to be percent-encoded.
    #[track_caller]
    pub fn request(self, method: Method, path: &str) -> TestRequest<'a> {
        let uri = path.parse::<Uri>().ok().filter(|_| path.starts_with('/'));
        let Some(uri) = uri else {
            panic!(
                "{path:?} is no path: it begins with `/`, and what isn't ASCII or is a space is percent-encoded"
            );
        };
        let mut request = Request::new(Body::empty());
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        request.headers_mut().insert(HOST, HeaderValue::from_static("localhost"));
        TestRequest { server: self.server, request }
    }
}

/// A request that is sent when it is awaited, which gives a [`TestResponse`].
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct TestRequest<'a> {
    server: &'a Server,
    request: Request<Body>,
}

impl TestRequest<'_> {
    /// A body of JSON.
    ///
    /// # Panics
    ///
    /// When the value can't be written as JSON.
    #[track_caller]
    pub fn json(self, value: impl Serialize) -> Self {
        match serde_json::to_vec(&value) {
            Ok(json) => self.header(CONTENT_TYPE.as_str(), "application/json").body(json),
            Err(error) => panic!("the body can't be written as JSON: {error}"),
        }
    }

    /// A body as an HTML form sends it, urlencoded.
    ///
    /// # Panics
    ///
    /// When the value isn't made of names and texts, numbers, or lists of these.
    #[track_caller]
    pub fn form(self, value: impl Serialize) -> Self {
        match serde_html_form::to_string(&value) {
            Ok(form) => self.header(CONTENT_TYPE.as_str(), "application/x-www-form-urlencoded").body(form),
            Err(error) => panic!("the body can't be written as a form: {error}"),
        }
    }

    /// A body as it is.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        *self.request.body_mut() = Body::from(body.into());
        self
    }

    /// A header; one of the same name is replaced.
    ///
    /// # Panics
    ///
    /// When HTTP has no such header.
    #[track_caller]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let (Ok(header), Ok(text)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) else {
            panic!("{name:?}: {value:?} can't be a header");
        };
        self.request.headers_mut().insert(header, text);
        self
    }

    async fn send(self) -> TestResponse {
        let what = format!("{} {}", self.request.method(), self.request.uri());
        let (head, body) = self.server.answer(self.request).await.into_parts();
        let Ok(collected) = timeout(BODY_WITHIN, body.collect()).await else {
            panic!("{what}: the answer's body has no end within {BODY_WITHIN:?}");
        };
        match collected {
            Ok(body) => TestResponse::new(what, head.status, head.headers, body.to_bytes()),
            Err(error) => panic!("{what}: the answer's body breaks off: {error}"),
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
