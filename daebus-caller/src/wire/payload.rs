//! Payloads: from a Rust value to JSON and back, with the protocol's rules for `null`, `()` and strings in strings.

use std::any::TypeId;
use std::borrow::Cow;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::json::{Fields, ObjectWriter, RawJson, without_nan};

/// A payload that doesn't fit the type it is read as.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", match field.as_str() { "" | "." => reason.clone(), field => format!("`{field}`: {reason}") })]
pub struct PayloadError {
    /// The path to the field that is wrong, such as `rows[3].email`; empty for the payload as a whole.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Writes an answer, a progress update or a broadcast. `()` is written as `{}`, since Python peers expect an object.
///
/// # Errors
///
/// When the value's `Serialize` fails, or a map in it has keys that aren't strings.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<RawJson, serde_json::Error> {
    let json = RawJson::from_value(value)?;
    // `None` is written as null too, and stays so: only the type that says nothing is `{}`.
    let says_nothing = json.as_str() == "null" && std::mem::size_of_val(value) == 0;
    Ok(if says_nothing { RawJson::nothing() } else { json })
}

/// Writes the payload of a request.
///
/// A value that is a JSON *string* is encoded twice, because receivers decode a string payload once more (Python's
/// always do): so a `String` arrives as the same `String`, on either side.
///
/// # Errors
///
/// As for [`encode`].
pub fn encode_payload<T: Serialize + ?Sized>(value: &T) -> Result<RawJson, serde_json::Error> {
    let json = encode(value)?;
    if json.as_str().starts_with('"') { RawJson::from_value(json.as_str()) } else { Ok(json) }
}

/// Writes a one-way message as the Python package's `send_to_service` does: the fields of the payload beside `action`.
///
/// What can't be said so goes into an envelope: a payload that is no object, or one with a field that would be taken
/// for the envelope's own.
///
/// # Errors
///
/// As for [`encode`].
pub fn encode_flat<T: Serialize + ?Sized>(value: &T, action: &str) -> Result<RawJson, serde_json::Error> {
    let json = encode(value)?;
    let object = match Fields::read(json.as_str()) {
        Ok(fields) if fields.get("payload").is_none() && fields.get("action").is_none() => fields
            .iter()
            .fold(ObjectWriter::new(json.as_str().len() + 64), |object, (name, value)| {
                object.raw(name, value.get())
            })
            .field("action", action),
        _ => ObjectWriter::new(json.as_str().len() + 64)
            .field("action", action)
            .raw("payload", encode_payload(value)?.as_str()),
    };
    Ok(RawJson::from_text(object.finish()))
}

/// Reads the payload of a request.
///
/// A string is decoded once more; where that gives no `T`, the string itself is tried. `null` or absent reads as `{}`
/// where `T` refuses null.
///
/// # Errors
///
/// When the payload doesn't fit `T`; the error names the field.
pub fn decode_payload<T: DeserializeOwned>(payload: Option<&str>) -> Result<T, PayloadError> {
    let payload = payload.unwrap_or("null").trim();
    if payload == "null" {
        return decode("null").or_else(|_| decode("{}"));
    }
    if payload.starts_with('"')
        && let Ok(inner) = serde_json::from_str::<String>(payload)
        && let Ok(value) = decode(&inner)
    {
        return Ok(value);
    }
    decode(payload)
}

/// Reads a broadcast: any JSON value, taken as it is.
///
/// # Errors
///
/// When the message isn't JSON or doesn't fit `T`; the error names the field.
pub fn decode_message<T: DeserializeOwned>(message: &str) -> Result<T, PayloadError> {
    decode(message)
}

/// Reads an answer. An answer of type `()` accepts anything.
///
/// # Errors
///
/// When the answer doesn't fit `T`; the error names the field.
pub fn decode_answer<T: DeserializeOwned + 'static>(payload: Option<&str>) -> Result<T, PayloadError> {
    if TypeId::of::<T>() == TypeId::of::<()>() { decode("null") } else { decode(payload.unwrap_or("null")) }
}

fn decode<T: DeserializeOwned>(json: &str) -> Result<T, PayloadError> {
    // The fast way knows nothing of the path to a mistake, of NaN, or of duplicate keys, which derived types refuse.
    serde_json::from_str(json).or_else(|_| decode_slowly(json))
}

fn decode_slowly<T: DeserializeOwned>(json: &str) -> Result<T, PayloadError> {
    let whole = |error: serde_json::Error| PayloadError { field: String::new(), reason: error.to_string() };
    let value: serde_json::Value = match serde_json::from_str(json) {
        Ok(value) => value,
        Err(error) => match without_nan(json) {
            Cow::Owned(repaired) => serde_json::from_str(&repaired).map_err(|_| whole(error))?,
            Cow::Borrowed(_) => {
                // Lone surrogates are no `Value`, but may be fine where `T` doesn't look at them.
                return serde_json::from_str(json).map_err(|_: serde_json::Error| whole(error));
            }
        },
    };
    serde_path_to_error::deserialize(value).map_err(|error| PayloadError {
        field: error.path().to_string(),
        reason: error.into_inner().to_string(),
    })
}
