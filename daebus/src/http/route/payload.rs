//! A payload over HTTP: the body as JSON or as a form, or the query, by method and content type.

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{Method, header};
use daebus_caller::wire::{Fault, FaultCode, PayloadError, decode_message, decode_payload};
use http_body::Body as _;
use serde::de::DeserializeOwned;

use super::refusal::Refusal;
use super::{body, form};
use crate::handler::Failure;

/// What a body says it is.
enum BodyKind {
    Json,
    Form,
    Multipart,
}

/// Reads the payload. `GET`, `HEAD` and whatever comes without a body have it in the query.
pub(super) async fn read<T: DeserializeOwned>(parts: &Parts, body: Body) -> Result<T, Refusal> {
    if matches!(parts.method, Method::GET | Method::HEAD) || body.is_end_stream() {
        let query = parts.uri.query().unwrap_or_default();
        return form::read(query.as_bytes()).map_err(|error| invalid("query", &error).into());
    }
    match kind(parts)? {
        BodyKind::Json => {
            let bytes = body::bytes(body).await?;
            json(&bytes).map_err(|error| invalid("payload", &error).into())
        }
        BodyKind::Form => {
            let bytes = body::bytes(body).await?;
            form::read(&bytes).map_err(|error| invalid("form", &error).into())
        }
        BodyKind::Multipart => {
            let fields = form::multipart(parts, body).await?;
            form::read(fields.as_bytes()).map_err(|error| invalid("form", &error).into())
        }
    }
}

/// A body that doesn't say what it is isn't guessed at: a browser sends such ones to other sites without asking first.
fn kind(parts: &Parts) -> Result<BodyKind, Failure> {
    let said =
        parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = said.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(BodyKind::Json);
    }
    match essence.to_ascii_lowercase().as_str() {
        "application/x-www-form-urlencoded" => Ok(BodyKind::Form),
        "multipart/form-data" => Ok(BodyKind::Multipart),
        json if json.starts_with("application/") && json.ends_with("+json") => Ok(BodyKind::Json),
        _ => {
            let found = if said.is_empty() {
                "without a Content-Type".to_owned()
            } else {
                format!("of type {said:?}")
            };
            let words = format!(
                "a body {found} can't be read here; send application/json, application/x-www-form-urlencoded \
                 or multipart/form-data"
            );
            Err(Fault::new("unsupported_media_type", words).with_status(415).into())
        }
    }
}

fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, PayloadError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| PayloadError { field: String::new(), reason: error.to_string() })?;
    match text.trim() {
        // As on the bus: `{}` where the type refuses null.
        "null" => decode_payload(None),
        // A string is a string here; only Python's bus encodes them twice.
        json => decode_message(json),
    }
}

fn invalid(what: &str, error: &PayloadError) -> Failure {
    Fault::reserved(FaultCode::InvalidPayload, format!("the {what} can't be read: {error}")).into()
}
