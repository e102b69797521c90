//! Payloads: from a Rust value to JSON and back, with the protocol's rules for `null`, `()` and strings in strings.

use std::any::{TypeId, type_name};
use std::borrow::Cow;
use std::fmt;

use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;

use super::json::{Fields, ObjectWriter, RawJson, without_nan};
use super::unit::is_unit_struct;

/// A payload that doesn't fit the type it is read as.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", if field.is_empty() { reason.clone() } else { format!("`{field}`: {reason}") })]
pub struct PayloadError {
    /// The path to the field that is wrong, such as `rows[3].email`; empty for the payload as a whole.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Writes an answer, a progress update or a broadcast. `()` is written as `{}`, since Python peers expect an object;
/// `None` stays null.
///
/// # Errors
///
/// When the value's `Serialize` fails, or a map in it has keys that aren't strings.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<RawJson, serde_json::Error> {
    let json = RawJson::from_value(value)?;
    // The size of a reference is not that of the value. `()` behind one is recognized by its type's name: serde
    // serializes it as it serializes `Value::Null`.
    let is_unit = || {
        size_of_val(value) == 0 || is_unit_struct(value) || type_name::<T>().trim_start_matches('&') == "()"
    };
    let is_nothing = json.as_str() == "null" && is_unit();
    Ok(if is_nothing { RawJson::nothing() } else { json })
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
            .fold(ObjectWriter::new(json.as_str().len() + 64), ObjectWriter::copy)
            .field("action", action),
        _ => ObjectWriter::new(json.as_str().len() + 64)
            .field("action", action)
            .raw("payload", encode_payload(value)?.as_str()),
    };
    Ok(object.finish())
}

/// Reads the payload of a request.
///
/// A string is decoded once more; where that gives no `T`, the string itself is tried. `null` or absent reads as `{}`
/// where `T` refuses null, and `{}` as `()`.
///
/// # Errors
///
/// When the payload doesn't fit `T`; the error names the field.
pub fn decode_payload<T: DeserializeOwned>(payload: Option<&str>) -> Result<T, PayloadError> {
    let payload = payload.unwrap_or("null").trim();
    if payload == "null" {
        return decode("null").or_else(|_| decode("{}"));
    }
    let Some(inner) = text_of(payload) else { return decode(payload) };
    let of_inner = match decode(&inner) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    // What the sender meant is the inner JSON, when it is JSON, so its mistakes are the ones to tell.
    let is_json = || serde_json::from_str::<IgnoredAny>(&without_nan(&inner)).is_ok();
    decode(payload).map_err(|of_text| if is_json() { of_inner } else { of_text })
}

/// Reads a broadcast: any JSON value, taken as it is. `{}` reads as `()`.
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

/// The text of a JSON string; `None` for anything else.
fn text_of(json: &str) -> Option<String> {
    if json.starts_with('"') { serde_json::from_str(json).ok() } else { None }
}

fn decode<T: DeserializeOwned>(json: &str) -> Result<T, PayloadError> {
    // The fast way knows nothing of the path to a mistake, of NaN, or of duplicate keys, which derived types refuse.
    serde_json::from_str(json).or_else(|error| decode_slowly(json, &error)).or_else(|error| {
        // `()` and unit structs are written as `{}`, but serde reads them from null only.
        let says_nothing = size_of::<T>() == 0 && json.trim() == "{}";
        if says_nothing { serde_json::from_str("null").map_err(|_| error) } else { Err(error) }
    })
}

/// `first` is why the fast way failed.
fn decode_slowly<T: DeserializeOwned>(json: &str, first: &serde_json::Error) -> Result<T, PayloadError> {
    // Lone surrogates are no `Value`; then the first reason is the one to tell.
    let whole = |_| PayloadError::new("", first);
    let value: Value = serde_json::from_str(json).or_else(|error| match without_nan(json) {
        Cow::Owned(repaired) => serde_json::from_str(&repaired).map_err(whole),
        Cow::Borrowed(_) => Err(whole(error)),
    })?;
    serde_path_to_error::deserialize(value)
        .map_err(|error| PayloadError::new(&error.path().to_string(), error.inner()))
}

impl PayloadError {
    /// Creates an error for a path of serde, which is `.` for the payload as a whole. Path and reason are shortened to
    /// about 300 characters each, since they are sent to the peer and logged.
    pub fn new(path: &str, reason: impl fmt::Display) -> Self {
        Self {
            field: if path == "." { String::new() } else { shortened(path) },
            reason: shortened(&reason.to_string()),
        }
    }
}

/// At most some two hundred characters: serde quotes values whole, and this goes into replies and logs.
fn shortened(words: &str) -> String {
    const MOST: usize = 200;
    match words.char_indices().nth(MOST) {
        // The end says what was expected.
        Some((cut, _)) => {
            let end = words.char_indices().rev().nth(MOST / 2).map_or(cut, |(at, _)| at.max(cut));
            format!("{} … {}", &words[..cut], &words[end..])
        }
        None => words.to_owned(),
    }
}
