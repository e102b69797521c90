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

/// An error response.
pub(crate) fn problem(fault: &Fault) -> Response {
    let status = StatusCode::from_u16(fault.status()).ok();
    let status = status.filter(|status| status.as_u16() >= 400).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    json_response(status, fault.to_payload().as_bytes().clone())
}

/// A 503 with the time after which the client may try again.
pub(super) fn overloaded(reason: &str) -> Response {
    let mut response = problem(&Fault::reserved(FaultCode::Overloaded, reason));
    response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
    response
}

/// A JSON response.
pub(crate) fn json_response(status: StatusCode, json: Bytes) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], json).into_response()
}

/// A 404 that says more than that there is no route.
pub(super) fn not_found(fault: &Fault, path: &str) -> Response {
    let body = json!({"error": fault.error(), "code": fault.code(), "path": path});
    json_response(StatusCode::NOT_FOUND, body.to_string().into())
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
