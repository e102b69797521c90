//! Frames as the protocol has them: read from clients, written to them.

use std::borrow::Cow;
use std::fmt;

use axum::extract::ws::Message;
use bytes::Bytes;
use daebus_caller::wire::{Fault, RawJson, read_message};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::Serialize;
use serde_json::value::RawValue;

use super::error::{SocketError, encoded};

/// A client's message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ClientMessage {
    pub(super) kind: String,
    /// For the gateway.
    pub(super) channel: Option<String>,
    /// `None`: absent.
    pub(crate) data: Option<RawJson>,
    pub(crate) request_id: Option<RawJson>,
}

/// A message that no handler can be found for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum UnreadableFrame {
    NotJson,
    NoType { request_id: Option<RawJson> },
}

impl ClientMessage {
    pub(crate) fn read(message: &Bytes) -> Result<Self, UnreadableFrame> {
        let read = |text: &Bytes, json: &str| {
            let slice = |json: &RawValue| RawJson::slice_of(text, json);
            serde_json::from_str::<Fields<'_>>(json).map(|fields| {
                let request_id = fields.request_id.map(slice);
                match fields.kind.map(Cow::into_owned).filter(|kind| !kind.is_empty()) {
                    Some(kind) => {
                        let channel = fields.channel.map(Cow::into_owned);
                        Ok(Self { kind, channel, data: fields.data.map(slice), request_id })
                    }
                    None => Err(UnreadableFrame::NoType { request_id }),
                }
            })
        };
        read_message(message, read).unwrap_or(Err(UnreadableFrame::NotJson))
    }
}

/// A field of the errors that handlers answer with. The frames for messages that reach no handler are those of the Python
/// package.
const FAILED: (&str, &str) = ("success", "false");

/// What a handler returned.
pub(super) fn response(data: &RawJson, request_id: Option<&RawJson>) -> Message {
    write("response", &[("data", data.as_str())], request_id)
}

/// A message of the service's own accord.
pub(super) fn push(kind: &str, data: &RawJson) -> Message {
    write(kind, &[("data", data.as_str())], None)
}

/// Writes a message of the service's own accord once, for all its receivers.
pub(super) fn written<T: Serialize + ?Sized>(kind: &str, data: &T) -> Result<Message, SocketError> {
    Ok(push(kind, &encoded(kind, data)?))
}

/// Why a handler has no answer.
pub(super) fn error(fault: &Fault, request_id: Option<&RawJson>) -> Message {
    write("error", &[("data", fault.to_payload().as_str()), FAILED], request_id)
}

/// A message that reached no handler.
pub(super) fn unreadable(why: &UnreadableFrame) -> Message {
    match why {
        UnreadableFrame::NotJson => complaint("Invalid JSON", None),
        UnreadableFrame::NoType { request_id } => complaint("No message type provided", request_id.as_ref()),
    }
}

/// A message of a type that nobody handles.
pub(super) fn no_handler(kind: &str, request_id: Option<&RawJson>) -> Message {
    complaint(&format!("No handler found for message type '{kind}'"), request_id)
}

/// A message too many; `window` is the rate's time.
pub(super) fn rate_limited(window: std::time::Duration, request_id: Option<&RawJson>) -> Message {
    let seconds = whole_seconds(window).to_string();
    let fields = [("error", "\"Rate limit exceeded\""), ("retry_after", &seconds)];
    write("error", &fields, request_id)
}

/// Returns a time in whole seconds, as Python does, and never fewer than the client has to wait.
pub(super) fn whole_seconds(window: std::time::Duration) -> u64 {
    window.as_secs() + u64::from(window.subsec_nanos() > 0)
}

fn complaint(error: &str, request_id: Option<&RawJson>) -> Message {
    write("error", &[("error", &quoted(error))], request_id)
}

/// Writes the fields, which are JSON already, in the protocol's order.
pub(super) fn write(kind: &str, fields: &[(&str, &str)], request_id: Option<&RawJson>) -> Message {
    let length: usize = fields.iter().map(|(name, json)| name.len() + json.len() + 4).sum();
    let mut text = String::with_capacity(length + kind.len() + 64);
    text.push_str("{\"type\":");
    text.push_str(&quoted(kind));
    let request_id = request_id.map(|id| ("request_id", id.as_str()));
    for (name, json) in fields.iter().copied().chain(request_id) {
        text.push_str(",\"");
        text.push_str(name);
        text.push_str("\":");
        text.push_str(json);
    }
    text.push('}');
    Message::Text(text.into())
}

pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The fields of a message, undecoded; of duplicate keys the last wins. What isn't an object has none.
#[derive(Default)]
struct Fields<'a> {
    kind: Option<Cow<'a, str>>,
    channel: Option<Cow<'a, str>>,
    data: Option<&'a RawValue>,
    request_id: Option<&'a RawValue>,
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyJson)
    }
}

struct AnyJson;

impl<'de> Visitor<'de> for AnyJson {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Fields::default();
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            match &*key {
                "type" => fields.kind = serde_json::from_str(map.next_value::<&RawValue>()?.get()).ok(),
                "channel" => fields.channel = serde_json::from_str(map.next_value::<&RawValue>()?.get()).ok(),
                "data" => fields.data = Some(map.next_value()?),
                "request_id" => fields.request_id = Some(map.next_value()?),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(fields)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Fields::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Fields::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Fields::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Fields::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Fields::default())
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Fields::default())
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Fields::default())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn raw(json: &'static str) -> RawJson {
        RawJson::whole(&Bytes::from_static(json.as_bytes()))
    }

    #[track_caller]
    fn check(message: &'static str, kind: &str, data: Option<&'static str>, id: Option<&'static str>) {
        let frame = ClientMessage::read(&Bytes::from_static(message.as_bytes()));
        let expected = ClientMessage {
            kind: kind.to_owned(),
            channel: None,
            data: data.map(raw),
            request_id: id.map(raw),
        };
        assert_eq!(frame, Ok(expected), "{message}");
    }

    #[test]
    fn messages_are_read() {
        check(r#"{"type": "a"}"#, "a", None, None);
        check(r#"{"type": "a", "data": {"x": 1}}"#, "a", Some(r#"{"x": 1}"#), None);
        check(r#"{"data": null, "request_id": [7], "type": "a"}"#, "a", Some("null"), Some("[7]"));
        check(r#"{"type": "caf\u00e9", "more": {"type": "b"}}"#, "café", None, None);
        check(r#"{"type": "a", "type": "b", "data": 1, "data": 2}"#, "b", Some("2"), None);
        check(r#"{"type": "a", "data": [NaN]}"#, "a", Some("[null]"), None);
    }

    #[test]
    fn what_has_no_type_is_told_from_what_is_no_json() {
        for message in
            ["{}", "[{}]", "5", "-5", "1.5", "true", "null", "\"a\"", r#"{"type": 5}"#, r#"{"type":""}"#]
        {
            let unreadable = ClientMessage::read(&Bytes::from_static(message.as_bytes()));
            assert_eq!(unreadable, Err(UnreadableFrame::NoType { request_id: None }), "{message}");
        }
        for message in ["", "{", "hello", r#"{"type": "a"} x"#, "\u{0}"] {
            let unreadable = ClientMessage::read(&Bytes::copy_from_slice(message.as_bytes()));
            assert_eq!(unreadable, Err(UnreadableFrame::NotJson), "{message}");
        }
        assert_eq!(ClientMessage::read(&Bytes::from_static(b"\xff\xfe")), Err(UnreadableFrame::NotJson));
    }

    #[test]
    fn frames_are_written_as_the_protocol_has_them() {
        let id = raw("7");
        for (frame, expected) in [
            (response(&raw(r#"{"ok":true}"#), None), r#"{"type":"response","data":{"ok":true}}"#),
            (response(&raw("1"), Some(&id)), r#"{"type":"response","data":1,"request_id":7}"#),
            (push("x\"y", &raw("[]")), r#"{"type":"x\"y","data":[]}"#),
            (
                error(&Fault::new("c", "no"), Some(&id)),
                r#"{"type":"error","data":{"error":"no","code":"c"},"success":false,"request_id":7}"#,
            ),
            (unreadable(&UnreadableFrame::NotJson), r#"{"type":"error","error":"Invalid JSON"}"#),
            (
                unreadable(&UnreadableFrame::NoType { request_id: None }),
                r#"{"type":"error","error":"No message type provided"}"#,
            ),
            (no_handler("x", None), r#"{"type":"error","error":"No handler found for message type 'x'"}"#),
            (
                rate_limited(Duration::from_secs(60), None),
                r#"{"type":"error","error":"Rate limit exceeded","retry_after":60}"#,
            ),
        ] {
            assert_eq!(frame.into_text().unwrap().as_str(), expected);
        }
    }
}
