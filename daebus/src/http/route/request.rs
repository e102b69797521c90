//! An HTTP request, from which a route takes its arguments.

use axum::body::Body;
use axum::http::request::Parts;

use crate::handler::{Context, Failure, HttpRequest};

/// An HTTP request on its way into a handler's arguments.
#[derive(Debug)]
pub struct RouteRequest {
    pub(crate) cx: Context,
}

impl RouteRequest {
    pub(super) fn new(cx: Context) -> Self {
        Self { cx }
    }

    /// Returns the head of the request.
    pub(super) fn parts(&mut self) -> Result<&mut Parts, Failure> {
        Ok(&mut self.http()?.parts)
    }

    /// Takes the body.
    pub(super) fn body(&mut self) -> Result<Body, Failure> {
        // Generated code counts the arguments that read it, so that this can't happen there.
        let taken = || Failure::internal("two arguments read the body, and there is only one");
        self.http()?.take_body().ok_or_else(taken)
    }

    fn http(&mut self) -> Result<&mut HttpRequest, Failure> {
        self.cx.http.as_deref_mut().ok_or_else(|| Failure::internal("no HTTP request reached this handler"))
    }
}
