//! The parsers of bytes that peers send, for the fuzz targets. Not for users, and not stable.

use axum::extract::Request;
use axum::http::Uri;
use daebus_caller::bus::Message;
use daebus_caller::wire::RawJson;

use crate::handler::Envelope;
use crate::http::route::{Pattern, canonical};
use crate::socket::ClientMessage;

/// Returns the payload and the request ID of a request, or `None` if its envelope can't be read.
pub fn request(message: &Message) -> Option<(Option<RawJson>, Option<RawJson>)> {
    Envelope::of_request(message).ok().map(|envelope| (envelope.payload, envelope.request_id))
}

/// Returns the payload of a broadcast, or `None` if it isn't JSON.
pub fn broadcast(message: &Message) -> Option<RawJson> {
    Envelope::of_broadcast(message).ok().and_then(|envelope| envelope.payload)
}

/// Returns the data and the request ID of a WebSocket frame, or `None` if it isn't a message.
pub fn frame(frame: &bytes::Bytes) -> Option<(Option<RawJson>, Option<RawJson>)> {
    ClientMessage::read(frame).ok().map(|message| (message.data, message.request_id))
}

/// A route's pattern.
#[derive(Debug)]
pub struct RoutePattern(Pattern);

impl RoutePattern {
    /// Parses a pattern, or returns `None` if it is invalid.
    pub fn parse(pattern: &str) -> Option<Self> {
        Pattern::parse(pattern).ok().map(Self)
    }

    /// Returns the pattern in the syntax of axum's router.
    pub fn to_axum(&self) -> String {
        self.0.to_axum()
    }

    /// Returns the number of parameters.
    pub fn parameters(&self) -> usize {
        let is_parameter = |segment: &&_| !matches!(segment, crate::http::route::Segment::Literal(_));
        self.0.segments().iter().filter(is_parameter).count()
    }

    /// Returns the values of the parameters in a path, or `None` if one isn't UTF-8.
    pub fn values(&self, path: &str) -> Option<Vec<String>> {
        self.0.parameters(path).ok()
    }
}

/// Returns a URI whose path has the spelling that the router compares.
pub fn canonical_uri(uri: Uri) -> Uri {
    let mut request = Request::default();
    *request.uri_mut() = uri;
    canonical(request).uri().clone()
}

/// Returns the mistakes in the text of a settings file, each with its place.
#[cfg(feature = "args")]
pub fn mistakes_in_settings(text: &str) -> Vec<String> {
    crate::args::mistakes_in_file("settings.toml", text).iter().map(ToString::to_string).collect()
}
