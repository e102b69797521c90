//! What goes wrong, as JSON: `{"error", "code", "details"}`.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use daebus_caller::wire::{Fault, FaultCode, RawJson};
use http_body::Body as _;
use http_body_util::{BodyExt as _, Limited};
use serde_json::json;

/// The most that is read of a rejection's words; axum's are one line.
const WORDS: usize = 4096;

/// When a refused client may try again, in seconds. Handlers are short, so that places are free again soon.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// Returns an error response. That of `overloaded` has the time after which the client may try again.
pub(crate) fn problem(fault: &Fault) -> Response {
    let status = StatusCode::from_u16(fault.status()).ok();
    let status = status.filter(|status| status.as_u16() >= 400).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = json_response(status, fault.to_payload().as_bytes().clone());
    if fault.reserved_code() == Some(FaultCode::Overloaded) {
        response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
    }
    response
}

/// Returns the 503 of a request that finds no place.
pub(super) fn overloaded(reason: &str) -> Response {
    problem(&Fault::reserved(FaultCode::Overloaded, reason))
}

/// A JSON response.
pub(crate) fn json_response(status: StatusCode, json: Bytes) -> Response {
    let mut response = Response::new(Body::from(json));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The answer to a path whose parameter can't be read.
pub(super) fn invalid_path(status: StatusCode, reason: &str, path: &str) -> Response {
    let body = json!({"error": reason, "code": "invalid_parameter", "path": path});
    json_response(status, body.to_string().into())
}

/// Marks the 404 of a path that nothing answers, unlike that of a handler.
#[derive(Debug, Clone, Copy)]
struct UnknownPath;

/// The answer to a path that nothing answers.
pub(super) fn unknown_path() -> Response {
    let mut response = StatusCode::NOT_FOUND.into_response();
    response.extensions_mut().insert(UnknownPath);
    response
}

/// Adds a body to an error that has nothing but its status, as axum's router makes them.
pub(super) fn tidy(response: Response, path: &str) -> Response {
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) || !is_bare(&response) {
        return response;
    }
    let error = status.canonical_reason().unwrap_or("Error");
    let is_unknown = response.extensions().get::<UnknownPath>().is_some();
    let body = match status {
        StatusCode::NOT_FOUND if is_unknown => json!({"error": error, "code": "unknown_path", "path": path}),
        StatusCode::METHOD_NOT_ALLOWED => json!({"error": error, "code": "method_not_allowed", "path": path}),
        _ => json!({"error": error, "path": path}),
    };
    let mut worded = json_response(status, body.to_string().into());
    for (name, value) in response.headers() {
        if name != header::CONTENT_LENGTH {
            worded.headers_mut().append(name, value.clone());
        }
    }
    *worded.extensions_mut() = response.into_parts().0.extensions;
    worded
}

/// Whether a response says nothing but its status, as the ones that axum's router makes itself.
pub(crate) fn is_bare(response: &Response) -> bool {
    response.body().is_end_stream() && !response.headers().contains_key(header::CONTENT_TYPE)
}

/// An extractor's rejection as JSON, unless it is some already; axum's own are a line of text.
pub(crate) async fn worded(rejection: Response) -> Response {
    let is_text = |headers: &HeaderMap| {
        let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        kind.is_none_or(|kind| kind.starts_with("text/plain"))
    };
    if !is_text(rejection.headers()) || rejection.status().as_u16() < 400 {
        return rejection;
    }
    let (mut parts, body) = rejection.into_parts();
    let words = Limited::new(body, WORDS).collect().await.map(http_body_util::Collected::to_bytes);
    let words = String::from_utf8_lossy(&words.unwrap_or_default()).into_owned();
    let reason = parts.status.canonical_reason().unwrap_or("the request can't be answered");
    let (error, code) = match parts.status.as_u16() {
        500.. => (Fault::internal().error().to_owned(), "internal"),
        404 => (words, "not_found"),
        413 => (words, "too_large"),
        415 => (words, "unsupported_media_type"),
        _ => (words, "invalid_payload"),
    };
    let error = if error.is_empty() { reason.to_owned() } else { error };
    let json = RawJson::from_value(&json!({"error": error, "code": code}));
    let json = json.unwrap_or_else(|_| RawJson::empty_object());
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Response::from_parts(parts, Body::from(json.as_bytes().clone()))
}
