//! An HTTP request, from which a route takes its arguments.

use axum::body::Body;

use crate::handler::Context;

/// An HTTP request on its way into a handler's arguments.
#[derive(Debug)]
pub struct RouteRequest {
    pub(crate) cx: Context,
    /// Taken by the one argument that reads it.
    pub(crate) body: Option<Body>,
    /// The values of the pattern's parameters, in order.
    pub(crate) parameters: Vec<String>,
}

impl RouteRequest {
    pub(crate) fn new(cx: Context, body: Body, parameters: Vec<String>) -> Self {
        Self { cx, body: Some(body), parameters }
    }
}
