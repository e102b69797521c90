//! Requests: the envelope as it is read and as it is written.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::batch::BATCH;
use super::json::{Fields, ObjectWriter, RawJson, is_named, read_object, read_text};
use super::session::Credit;

/// Headers of a request: `traceparent`, `tracestate`, and the application's own.
pub type Headers = BTreeMap<String, String>;

/// A request as it arrived, borrowed from the message.
///
/// Fields of an unexpected type read as absent and unknown fields are ignored; of duplicate keys the last wins.
#[derive(Debug, Default)]
pub struct Request<'a> {
    /// What to run. `None`: the message isn't a request and is ignored.
    pub action: Option<Cow<'a, str>>,
    /// The payload, the flat form already put together. `None`: absent, or a flat form without fields.
    pub payload: Option<Cow<'a, RawValue>>,
    /// Where the sender wants its reply.
    pub reply_to: Option<Cow<'a, str>>,
    /// Echoed as it came, whatever JSON it is. `null` reads as absent.
    pub request_id: Option<&'a RawValue>,
    /// The service that the sender meant; used for nothing but the fallback reply channel.
    pub service: Option<Cow<'a, str>>,
    /// Extension: headers.
    pub headers: Headers,
    /// Extension: what was left of the caller's budget when it sent this.
    pub timeout: Option<Duration>,
    /// Extension: whether the caller's inbox accepts batches.
    pub accepts_batches: bool,
    /// Extension: opens a session, with the credit for the service's stream.
    pub session: Option<Credit>,
}

/// The fields of a request as callers write them. Any other form is read field by field.
#[derive(Deserialize)]
struct UsualRequest<'a> {
    #[serde(borrow)]
    action: &'a str,
    #[serde(borrow)]
    payload: &'a RawValue,
    #[serde(borrow)]
    reply_to: Option<&'a str>,
    #[serde(borrow)]
    request_id: Option<&'a RawValue>,
    #[serde(borrow)]
    service: Option<&'a str>,
    headers: Option<Headers>,
    timeout_ms: Option<f64>,
    #[serde(default, deserialize_with = "accepts_batches")]
    accepts: bool,
    #[serde(borrow)]
    session: Option<&'a RawValue>,
}

impl<'a> Request<'a> {
    /// Reads a request, once.
    ///
    /// # Errors
    ///
    /// When `text` isn't a JSON object.
    pub fn read(text: &'a str) -> Result<Self, serde_json::Error> {
        match read_object::<UsualRequest<'a>>(text) {
            Ok(usual) => Ok(usual.into()),
            Err(_) => Self::read_fields(text),
        }
    }

    fn read_fields(text: &'a str) -> Result<Self, serde_json::Error> {
        let fields = Fields::read(text)?;
        let mut request = Self {
            action: fields.text("action"),
            reply_to: fields.text("reply_to").filter(|channel| !channel.is_empty()),
            request_id: fields.get("request_id").filter(|id| id.get() != "null"),
            service: fields.text("service"),
            ..Self::default()
        };
        if let Some(payload) = fields.get("payload") {
            request.payload = Some(Cow::Borrowed(payload));
            request.headers = fields.get("headers").map(read_headers).unwrap_or_default();
            request.timeout = fields.get("timeout_ms").and_then(read_millis);
            request.accepts_batches = fields.get("accepts").is_some_and(names_batch);
            request.session = fields.get("session").and_then(read_session);
        } else {
            request.payload = flat_payload(&fields).map(Cow::Owned);
        }
        Ok(request)
    }

    /// The channel a reply goes to; see [`reply_channel`].
    pub fn reply_channel(&self, own_name: &str) -> Option<String> {
        let service = self.service.as_deref();
        reply_channel(self.reply_to.as_deref(), self.request_id.is_some(), service, own_name)
    }
}

/// The channel a reply goes to, `own_name` being the service that answers. `None`: the request is one-way.
pub fn reply_channel(
    reply_to: Option<&str>,
    has_id: bool,
    service: Option<&str>,
    own_name: &str,
) -> Option<String> {
    match (reply_to, has_id) {
        (Some(channel), _) => Some(channel.to_owned()),
        (None, true) => {
            let service = service.filter(|name| !name.is_empty()).unwrap_or(own_name);
            Some(format!("{service}.responses"))
        }
        (None, false) => None,
    }
}

/// The payload of the flat form: the object's own fields, without those of the envelope.
fn flat_payload(fields: &Fields<'_>) -> Option<Box<RawValue>> {
    let addressed = fields.get("reply_to").is_some() && fields.get("request_id").is_some();
    let of_envelope = |key: &RawValue| {
        is_named(key, "action")
            || addressed && ["reply_to", "request_id", "service"].iter().any(|name| is_named(key, name))
    };
    let payload =
        fields.iter().filter(|(key, _)| !of_envelope(key)).fold(ObjectWriter::new(64), ObjectWriter::copy);
    if payload.is_empty() { None } else { RawValue::from_string(payload.finish().as_str().to_owned()).ok() }
}

/// The headers that are text, each by itself: one that isn't doesn't take the others with it.
fn read_headers(value: &RawValue) -> Headers {
    let Ok(headers) = Fields::read(value.get()) else { return Headers::new() };
    headers
        .iter()
        .filter_map(|(name, value)| Some((read_text(name)?.into_owned(), read_text(value)?.into_owned())))
        .collect()
}

fn read_millis(value: &RawValue) -> Option<Duration> {
    serde_json::from_str(value.get()).ok().map(budget)
}

fn budget(millis: f64) -> Duration {
    // A negative budget is a spent one. A day is beyond any call; the bound keeps sums of instants from overflowing.
    Duration::from_secs_f64((millis / 1000.0).clamp(0.0, 86_400.0))
}

fn read_session(value: &RawValue) -> Option<Credit> {
    Credit::read(Fields::read(value.get()).ok()?.get("credit")?)
}

fn names_batch(value: &RawValue) -> bool {
    let words: Vec<&RawValue> = serde_json::from_str(value.get()).unwrap_or_default();
    words.into_iter().filter_map(read_text).any(|word| word == BATCH)
}

/// Reads a list of words, which must have no escapes, without keeping them.
fn accepts_batches<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    struct Words;

    impl<'de> Visitor<'de> for Words {
        type Value = bool;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of words")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut words: A) -> Result<bool, A::Error> {
            let mut has_batch = false;
            while let Some(word) = words.next_element::<&str>()? {
                has_batch |= word == BATCH;
            }
            Ok(has_batch)
        }
    }

    deserializer.deserialize_seq(Words)
}

impl<'a> From<UsualRequest<'a>> for Request<'a> {
    fn from(usual: UsualRequest<'a>) -> Self {
        Self {
            action: Some(usual.action.into()),
            payload: Some(Cow::Borrowed(usual.payload)),
            reply_to: usual.reply_to.filter(|channel| !channel.is_empty()).map(Cow::Borrowed),
            request_id: usual.request_id,
            service: usual.service.map(Cow::Borrowed),
            headers: usual.headers.unwrap_or_default(),
            timeout: usual.timeout_ms.map(budget),
            accepts_batches: usual.accepts,
            session: usual.session.and_then(read_session),
        }
    }
}

/// A request to be written; the order of fields is that of the Python package.
#[derive(Debug)]
pub struct RequestWriter<'a> {
    /// What to run.
    pub action: &'a str,
    /// The payload, already JSON; see [`encode_payload`](super::encode_payload).
    pub payload: &'a RawJson,
    /// Where the reply goes. `None` with no `request_id`: one-way.
    pub reply_to: Option<&'a str>,
    /// The id that the reply will carry.
    pub request_id: Option<&'a str>,
    /// The service that is meant.
    pub service: &'a str,
    /// Extension: headers, left out when empty.
    pub headers: &'a Headers,
    /// Extension: what is left of the budget; written in whole milliseconds.
    pub timeout: Option<Duration>,
    /// Extension: what the inbox understands, left out when empty.
    pub accepts: &'a [&'a str],
}

impl RequestWriter<'_> {
    /// The request as a message.
    pub fn write(&self) -> Bytes {
        self.object().finish().into_bytes()
    }

    /// The request as a message that opens a session, with the credit for the service's stream.
    pub fn write_session(&self, credit: Credit) -> Bytes {
        let session = ObjectWriter::new(64).raw("credit", credit.write().as_str()).finish();
        self.object().raw("session", session.as_str()).finish().into_bytes()
    }

    fn object(&self) -> ObjectWriter {
        let payload = self.payload.as_str();
        let mut object =
            ObjectWriter::new(payload.len() + 256).text("action", self.action).raw("payload", payload);
        if let Some(reply_to) = self.reply_to {
            object = object.text("reply_to", reply_to);
        }
        if let Some(request_id) = self.request_id {
            object = object.text("request_id", request_id);
        }
        object = object.text("service", self.service);
        if !self.headers.is_empty() {
            object = object.field("headers", self.headers);
        }
        if let Some(timeout) = self.timeout {
            object = object.field("timeout_ms", &u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX));
        }
        if !self.accepts.is_empty() {
            object = object.field("accepts", self.accepts);
        }
        object
    }
}
