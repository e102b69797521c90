//! What a handler runs in: the service's core and the message that reached it.

use std::fmt;
use std::sync::{Arc, OnceLock};

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use daebus_caller::deadline::Deadline;
use daebus_caller::wire::{Headers, RawJson};
use parking_lot::Mutex;

use super::core::Core;
use super::envelope::Envelope;
use super::extensions::Extensions;
use super::reply::Replier;

/// What a handler runs in. Extractors read it; layers see it on its way to the handler.
pub struct Context {
    pub(crate) core: Arc<Core>,
    pub(crate) handler: &'static str,
    pub(crate) message: Option<Arc<Envelope>>,
    pub(crate) replier: Option<Arc<Replier>>,
    pub(crate) deadline: Option<Deadline>,
    /// The headers of the connection that the message came over, where a message has none of its own.
    connection_headers: Option<Arc<Headers>>,
    /// Boxed, since it is large and most messages arrive on the bus.
    pub(crate) http: Option<Box<HttpRequest>>,
    extensions: Extensions,
}

/// An HTTP request on its way to a route's handler.
pub(crate) struct HttpRequest {
    pub(crate) parts: Parts,
    /// Taken by the argument that reads it. In a lock since a body can't be shared between threads and a context can.
    body: Mutex<Option<Body>>,
    /// The values of the pattern's parameters, in order.
    pub(crate) parameters: Vec<String>,
    /// The headers as the bus has them, made when they are first read.
    headers: OnceLock<Headers>,
}

impl HttpRequest {
    pub(crate) fn new(parts: Parts, body: Body, parameters: Vec<String>) -> Self {
        Self { parts, body: Mutex::new(Some(body)), parameters, headers: OnceLock::new() }
    }

    /// Takes the body. `None` if it was taken before.
    pub(crate) fn take_body(&mut self) -> Option<Body> {
        self.body.get_mut().take()
    }

    /// Returns the headers as the bus has them.
    fn headers(&self) -> &Headers {
        self.headers.get_or_init(|| first_headers(&self.parts.headers))
    }
}

/// Returns the first header of each name; headers that aren't text are left out.
pub(crate) fn first_headers(all: &HeaderMap) -> Headers {
    let mut headers = Headers::new();
    for (name, value) in all {
        if let Ok(value) = value.to_str() {
            headers.entry(name.as_str().to_owned()).or_insert_with(|| value.to_owned());
        }
    }
    headers
}

impl Context {
    pub(crate) fn new(core: Arc<Core>, handler: &'static str) -> Self {
        Self {
            core,
            handler,
            message: None,
            replier: None,
            deadline: None,
            connection_headers: None,
            http: None,
            extensions: Extensions::default(),
        }
    }

    pub(crate) fn with_message(mut self, message: Arc<Envelope>, deadline: Deadline) -> Self {
        self.message = Some(message);
        self.deadline = Some(deadline);
        self
    }

    /// The message of a request that stays open, without a deadline.
    pub(crate) fn with_open_message(mut self, message: Arc<Envelope>) -> Self {
        self.message = Some(message);
        self
    }

    pub(crate) fn with_deadline(mut self, deadline: Deadline) -> Self {
        self.deadline = Some(deadline);
        self
    }

    pub(crate) fn with_http(mut self, request: HttpRequest, deadline: Deadline) -> Self {
        self.http = Some(Box::new(request));
        self.deadline = Some(deadline);
        self
    }

    pub(crate) fn with_replier(mut self, replier: Option<Arc<Replier>>) -> Self {
        self.replier = replier;
        self
    }

    pub(crate) fn with_connection_headers(mut self, headers: Arc<Headers>) -> Self {
        self.connection_headers = Some(headers);
        self
    }

    /// The name of the service that runs the handler.
    pub fn service(&self) -> &str {
        self.core.service.as_str()
    }

    /// The action's name, the channel or pattern listened to, or the function's name for a hook.
    pub fn handler(&self) -> &str {
        self.handler
    }

    /// The headers of the request, over HTTP with names in small letters, and for a WebSocket message those of the
    /// upgrade; empty where there are none.
    pub fn headers(&self) -> &Headers {
        static NONE: Headers = Headers::new();
        if let Some(headers) = &self.connection_headers {
            return headers;
        }
        match (&self.message, &self.http) {
            (Some(message), _) => &message.headers,
            (None, Some(http)) => http.headers(),
            (None, None) => &NONE,
        }
    }

    /// Returns a header by its name, in capital or small letters: callers on the bus may write either, and HTTP's names are in
    /// small letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        let headers = self.headers();
        let by_case = headers.get(name);
        let mut others = headers.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
        by_case.or_else(|| others.next().map(|(_, value)| value)).map(String::as_str)
    }

    /// The head of the HTTP request: method, URI, headers, extensions. `None` where no HTTP request reached the handler.
    pub fn http(&self) -> Option<&Parts> {
        self.http.as_ref().map(|http| &http.parts)
    }

    /// The payload as it came; `None` when it is absent or no message reached the handler.
    pub fn payload(&self) -> Option<&RawJson> {
        self.message.as_ref()?.payload.as_ref()
    }

    /// Values that a layer hands on to the handler, which takes them as [`Extension`](crate::Extension).
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// The same, to add to.
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        &mut self.extensions
    }

    /// The application's state of type `T`.
    pub fn state<T: 'static>(&self) -> Option<&T> {
        self.core.states.get()
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("service", &self.service())
            .field("handler", &self.handler)
            .finish_non_exhaustive()
    }
}
