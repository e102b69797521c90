//! Replies: final ones and progress, as they are read and as they are written.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::fault::Fault;
use super::json::{Fields, ObjectWriter, RawJson, number, read_object};

/// What a reply says of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// Answered.
    Success,
    /// Not answered; the payload has the sentence.
    Error,
    /// Under way.
    Progress,
    /// Extension: credit of a session.
    Credit,
    /// Extension: an item of a session.
    Item,
    /// Extension: a question of a session.
    Ask,
}

/// A reply as it arrived, borrowed from the message.
#[derive(Debug)]
pub struct Reply<'a> {
    /// Anything but `error` and `progress` reads as success, as in Python.
    pub status: Status,
    /// Absent reads as `None`.
    pub payload: Option<&'a RawValue>,
    /// The request that this answers; only text is an id of ours.
    pub request_id: Option<Cow<'a, str>>,
    /// Whether this is the last reply. Absent reads as true.
    pub is_final: bool,
    /// Extension: the instance that answered.
    pub instance: Option<Cow<'a, str>>,
    /// Extension: whether the service refused the request without running it. Anything but `true` reads as false.
    pub refused: bool,
    /// Extension: the number of a session's item; in a final reply that of the last one.
    pub seq: Option<u64>,
    /// Extension: the number of a session's question.
    pub ask: Option<u64>,
}

/// The fields of a reply as services write them. Any other form is read field by field.
#[derive(Deserialize)]
struct UsualReply<'a> {
    #[serde(borrow)]
    status: &'a str,
    #[serde(borrow)]
    payload: &'a RawValue,
    #[serde(borrow)]
    request_id: &'a str,
    #[serde(rename = "final")]
    is_final: bool,
    #[serde(borrow)]
    instance: Option<&'a str>,
    #[serde(default)]
    refused: bool,
    seq: Option<u64>,
    ask: Option<u64>,
}

impl<'a> From<UsualReply<'a>> for Reply<'a> {
    fn from(usual: UsualReply<'a>) -> Self {
        Self {
            status: Status::read(Some(usual.status)),
            payload: Some(usual.payload),
            request_id: Some(Cow::Borrowed(usual.request_id)),
            is_final: usual.is_final,
            instance: usual.instance.map(Cow::Borrowed),
            refused: usual.refused,
            seq: usual.seq,
            ask: usual.ask,
        }
    }
}

impl<'a> Reply<'a> {
    /// Reads a reply, once.
    ///
    /// # Errors
    ///
    /// When `text` isn't a JSON object.
    pub fn read(text: &'a str) -> Result<Self, serde_json::Error> {
        match read_object::<UsualReply<'a>>(text) {
            Ok(usual) => Ok(usual.into()),
            Err(_) => Self::read_fields(text),
        }
    }

    fn read_fields(text: &'a str) -> Result<Self, serde_json::Error> {
        let fields = Fields::read(text)?;
        let status = Status::read(fields.text("status").as_deref());
        // Python takes any true value; only an explicit "no" makes a reply one of several.
        let is_final = !matches!(fields.get("final").map(RawValue::get), Some("false" | "null" | "0"));
        Ok(Self {
            status,
            payload: fields.get("payload"),
            request_id: fields.text("request_id"),
            is_final,
            instance: fields.text("instance"),
            refused: fields.get("refused").is_some_and(|refused| refused.get() == "true"),
            seq: number(&fields, "seq"),
            ask: number(&fields, "ask"),
        })
    }

    /// The fault of an error reply; for a payload that has none, what there is in words.
    pub fn fault(&self) -> Fault {
        let payload = self.payload.map_or("{}", RawValue::get);
        Fault::read(payload, self.refused)
    }
}

impl Status {
    fn read(word: Option<&str>) -> Self {
        match word {
            Some("error") => Self::Error,
            Some("progress") => Self::Progress,
            Some("item") => Self::Item,
            Some("credit") => Self::Credit,
            Some("ask") => Self::Ask,
            _ => Self::Success,
        }
    }

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error => "error",
            Self::Progress => "progress",
            Self::Credit => "credit",
            Self::Item => "item",
            Self::Ask => "ask",
        }
    }
}

/// A reply to be written; the order of fields is that of the Python package.
#[derive(Debug)]
pub struct ReplyWriter<'a> {
    /// What the reply says.
    pub status: Status,
    /// The payload, already JSON; see [`encode`](super::encode).
    pub payload: &'a RawJson,
    /// The request's id, as it came. `None` is written as `null`, as Python does.
    pub request_id: Option<&'a RawJson>,
    /// Whether this is the last reply.
    pub is_final: bool,
    /// Extension: the instance that answers.
    pub instance: &'a str,
    /// Extension: whether the request is refused and was not run; left out if false.
    pub refused: bool,
}

impl ReplyWriter<'_> {
    /// The reply as a message.
    pub fn write(&self) -> Bytes {
        let payload = self.payload.as_str();
        let mut object = ObjectWriter::new(payload.len() + 160)
            .text("status", self.status.as_str())
            .raw("payload", payload)
            .raw("request_id", self.request_id.map_or("null", RawJson::as_str))
            .raw("final", if self.is_final { "true" } else { "false" })
            .text("instance", self.instance);
        if self.refused {
            object = object.raw("refused", "true");
        }
        object.finish().into_bytes()
    }
}
