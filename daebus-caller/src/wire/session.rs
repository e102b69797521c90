//! The messages of sessions: calls that stay open, with items, questions and credit.

use bytes::Bytes;
use serde_json::value::RawValue;

use super::fault::Fault;
use super::instance::InstanceId;
use super::json::{Fields, ObjectWriter, RawJson, number};
use super::reply::{Reply, Status};

/// How much of a stream a receiver accepts, as totals since the session was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Credit {
    /// Items.
    pub items: u64,
    /// Bytes of the items' JSON.
    pub bytes: u64,
}

impl Credit {
    /// Reads `{"items": …, "bytes": …}`. `None` if a number is absent or isn't one.
    pub fn read(value: &RawValue) -> Option<Self> {
        let fields = Fields::read(value.get()).ok()?;
        Some(Self { items: number(&fields, "items")?, bytes: number(&fields, "bytes")? })
    }

    /// Writes the object that [`read`](Self::read) reads.
    pub fn write(self) -> RawJson {
        ObjectWriter::new(48).field("items", &self.items).field("bytes", &self.bytes).finish()
    }
}

/// A message of an open session.
#[derive(Debug, Clone, PartialEq)]
pub enum SessionMessage {
    /// An item of the sender's stream.
    Item {
        /// Its number, from 1.
        seq: u64,
        /// The item.
        payload: RawJson,
    },
    /// The total credit of the sender's peer.
    Credit(Credit),
    /// A question of a workflow.
    Ask {
        /// Its number, from 1.
        ask: u64,
        /// The question.
        payload: RawJson,
    },
    /// The answer to a question.
    Answer {
        /// The question's number.
        ask: u64,
        /// The answer.
        payload: RawJson,
    },
    /// The end of the caller's stream.
    End {
        /// The number of the last item.
        seq: u64,
        /// Why the stream ended early.
        error: Option<Fault>,
    },
    /// The final reply, which ends the session.
    Final {
        /// The number of the last item. The error of a service that doesn't have the session lacks it.
        seq: Option<u64>,
        /// The answer, or the error.
        outcome: Result<Option<RawJson>, Fault>,
    },
}

/// A message that a session can't contain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(&'static str);

/// A message from a caller to an instance, and the session that it belongs to.
#[derive(Debug)]
pub struct FromCaller {
    /// The inbox of the caller.
    pub reply_to: String,
    /// The id of the request that opened the session, as it was written.
    pub request_id: RawJson,
    /// The message.
    pub message: Result<SessionMessage, Malformed>,
}

impl FromCaller {
    /// The beginning of each message of a session that Daebus sends to an instance.
    pub const BEGINNING: &'static [u8] = br#"{"action":"$"#;

    /// Reads a message; `None` if it is no message of a session or doesn't name one.
    ///
    /// # Errors
    ///
    /// If `text` isn't a JSON object.
    pub fn read(message: &Bytes, text: &str) -> Result<Option<Self>, serde_json::Error> {
        let fields = Fields::read(text)?;
        let action = fields.text("action").unwrap_or_default();
        if !is_session_action(&action) {
            return Ok(None);
        }
        let (Some(reply_to), Some(request_id)) = (fields.text("reply_to"), fields.get("request_id")) else {
            return Ok(None);
        };
        let payload = || fields.get("payload").map(|part| RawJson::slice_of(message, part)).ok_or(NO_PAYLOAD);
        let message = match &*action {
            "$item" => number(&fields, "seq")
                .ok_or(NO_SEQ)
                .and_then(|seq| Ok(SessionMessage::Item { seq, payload: payload()? })),
            "$answer" => number(&fields, "ask")
                .ok_or(NO_ASK)
                .and_then(|ask| Ok(SessionMessage::Answer { ask, payload: payload()? })),
            "$credit" => {
                fields.get("payload").and_then(Credit::read).map(SessionMessage::Credit).ok_or(NO_CREDIT)
            }
            _ => number(&fields, "seq").ok_or(NO_SEQ).map(|seq| {
                let error = fields.get("error").filter(|error| error.get() != "null");
                SessionMessage::End { seq, error: error.map(|error| Fault::read(error.get(), false)) }
            }),
        };
        let request_id = RawJson::whole(&Bytes::copy_from_slice(request_id.get().as_bytes()));
        Ok(Some(Self { reply_to: reply_to.into_owned(), request_id, message }))
    }
}

/// Returns whether an action is a message of a session.
pub fn is_session_action(action: &str) -> bool {
    matches!(action, "$item" | "$answer" | "$credit" | "$end")
}

const NO_SEQ: Malformed = Malformed("`seq` is not a number");
const NO_ASK: Malformed = Malformed("`ask` is not a number");
const NO_CREDIT: Malformed = Malformed("the payload is not a credit");
const NO_PAYLOAD: Malformed = Malformed("`payload` is absent");

impl Reply<'_> {
    /// Returns the reply as a message of its session; `None` if it is progress.
    ///
    /// # Errors
    ///
    /// If a field that the message needs is absent.
    pub fn session_message(&self, message: &Bytes) -> Result<Option<SessionMessage>, Malformed> {
        let payload = || self.payload.map(|part| RawJson::slice_of(message, part));
        if self.is_final {
            let outcome = if self.status == Status::Error { Err(self.fault()) } else { Ok(payload()) };
            return Ok(Some(SessionMessage::Final { seq: self.seq, outcome }));
        }
        let read = match self.status {
            Status::Item => {
                let (seq, payload) = (self.seq.ok_or(NO_SEQ)?, payload().ok_or(NO_PAYLOAD)?);
                SessionMessage::Item { seq, payload }
            }
            Status::Ask => {
                let (ask, payload) = (self.ask.ok_or(NO_ASK)?, payload().ok_or(NO_PAYLOAD)?);
                SessionMessage::Ask { ask, payload }
            }
            Status::Credit => SessionMessage::Credit(self.payload.and_then(Credit::read).ok_or(NO_CREDIT)?),
            Status::Success | Status::Error | Status::Progress => return Ok(None),
        };
        Ok(Some(read))
    }
}

/// Where the messages of one side of a session go, and how they name the session.
#[derive(Debug)]
pub enum SessionAddress {
    /// From the caller.
    Instance {
        /// The inbox of the caller.
        reply_to: String,
        /// The id of the request that opened the session.
        request_id: String,
        /// The called service.
        service: String,
    },
    /// From the instance.
    Caller {
        /// The id of the request that opened the session, as it was written.
        request_id: RawJson,
        /// The instance.
        instance: InstanceId,
    },
}

impl SessionAddress {
    /// Writes a message.
    pub fn write(&self, message: &SessionMessage) -> Bytes {
        match self {
            Self::Instance { reply_to, request_id, service } => {
                let object = match message {
                    SessionMessage::Item { seq, payload } => request("$item", payload.as_str().len())
                        .raw("payload", payload.as_str())
                        .field("seq", seq),
                    SessionMessage::Answer { ask, payload } | SessionMessage::Ask { ask, payload } => {
                        let object = request("$answer", payload.as_str().len());
                        object.raw("payload", payload.as_str()).field("ask", ask)
                    }
                    SessionMessage::Credit(credit) => {
                        request("$credit", 64).raw("payload", credit.write().as_str())
                    }
                    SessionMessage::End { seq, error } => end(*seq, error.as_ref()),
                    SessionMessage::Final { seq, outcome } => {
                        end(seq.unwrap_or_default(), outcome.as_ref().err())
                    }
                };
                let object = object.field("reply_to", reply_to).field("request_id", request_id);
                object.field("service", service).finish().into_bytes()
            }
            Self::Caller { request_id, instance } => {
                let (status, payload, number, is_final) = match message {
                    SessionMessage::Item { seq, payload } => {
                        (Status::Item, payload.clone(), Some(("seq", *seq)), false)
                    }
                    SessionMessage::Ask { ask, payload } | SessionMessage::Answer { ask, payload } => {
                        (Status::Ask, payload.clone(), Some(("ask", *ask)), false)
                    }
                    SessionMessage::Credit(credit) => (Status::Credit, credit.write(), None, false),
                    SessionMessage::End { seq, error } => {
                        final_parts(Some(*seq), error.as_ref().map_or(Ok(None), Err))
                    }
                    SessionMessage::Final { seq, outcome } => {
                        final_parts(*seq, outcome.as_ref().map(Option::as_ref))
                    }
                };
                let payload = payload.as_str();
                let mut object = ObjectWriter::new(payload.len() + 160)
                    .field("status", status.as_str())
                    .raw("payload", payload)
                    .raw("request_id", request_id.as_str())
                    .field("final", &is_final)
                    .field("instance", instance.as_str());
                if let Some((name, number)) = number {
                    object = object.field(name, &number);
                }
                object.finish().into_bytes()
            }
        }
    }
}

fn request(action: &str, payload: usize) -> ObjectWriter {
    ObjectWriter::new(payload + 256).field("action", action)
}

fn end(seq: u64, error: Option<&Fault>) -> ObjectWriter {
    let object = request("$end", 128).field("seq", &seq);
    match error {
        Some(error) => object.raw("error", error.to_payload().as_str()),
        None => object,
    }
}

type ReplyParts = (Status, RawJson, Option<(&'static str, u64)>, bool);

fn final_parts(seq: Option<u64>, outcome: Result<Option<&RawJson>, &Fault>) -> ReplyParts {
    let (status, payload) = match outcome {
        Ok(payload) => (Status::Success, payload.cloned().unwrap_or_else(RawJson::empty_object)),
        Err(fault) => (Status::Error, fault.to_payload()),
    };
    (status, payload, seq.map(|seq| ("seq", seq)), true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to_instance(message: &SessionMessage) -> Bytes {
        let address = SessionAddress::Instance {
            reply_to: "caller:x".into(),
            request_id: "1".into(),
            service: "svc".into(),
        };
        address.write(message)
    }

    fn read(message: &Bytes) -> FromCaller {
        FromCaller::read(message, std::str::from_utf8(message).unwrap()).unwrap().unwrap()
    }

    fn json(text: &str) -> RawJson {
        RawJson::whole(&Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn messages_to_an_instance_are_read_as_they_were_written() {
        for message in [
            SessionMessage::Item { seq: 3, payload: json(r#"{"a": "b"}"#) },
            SessionMessage::Answer { ask: 1, payload: json("\"yes\"") },
            SessionMessage::Credit(Credit { items: 64, bytes: 1 << 20 }),
            SessionMessage::End { seq: 7, error: None },
            SessionMessage::End { seq: 7, error: Some(Fault::new("full", "the disk is full")) },
        ] {
            let written = to_instance(&message);
            assert!(written.starts_with(FromCaller::BEGINNING));
            let read = read(&written);
            assert_eq!((&*read.reply_to, read.request_id.as_str()), ("caller:x", "\"1\""));
            assert_eq!(read.message, Ok(message));
        }
    }

    #[test]
    fn messages_to_a_caller_are_read_as_they_were_written() {
        let address =
            SessionAddress::Caller { request_id: json("\"1\""), instance: InstanceId::new("svc@1").unwrap() };
        for message in [
            SessionMessage::Item { seq: 3, payload: json("[1]") },
            SessionMessage::Ask { ask: 2, payload: json("{}") },
            SessionMessage::Credit(Credit { items: 1, bytes: 2 }),
            SessionMessage::Final { seq: Some(3), outcome: Ok(Some(json("7"))) },
            SessionMessage::Final { seq: Some(3), outcome: Err(Fault::new("x", "y")) },
        ] {
            let written = address.write(&message);
            let reply = Reply::read(std::str::from_utf8(&written).unwrap()).unwrap();
            assert_eq!(reply.request_id.as_deref(), Some("1"));
            assert_eq!(reply.session_message(&written), Ok(Some(message)));
        }
    }

    #[test]
    fn messages_without_their_fields_are_malformed_and_others_are_no_messages_of_sessions() {
        let read = |text: &str| FromCaller::read(&Bytes::copy_from_slice(text.as_bytes()), text);
        let of = r#""reply_to": "caller:x", "request_id": 1"#;
        let text = Bytes::from(format!(r#"{{"action": "$item", "payload": 1, {of}}}"#));
        assert_eq!(super::tests::read(&text).message, Err(NO_SEQ));
        let text = Bytes::from(format!(r#"{{"action": "$item", "seq": 1, {of}}}"#));
        assert_eq!(super::tests::read(&text).message, Err(NO_PAYLOAD));
        let text = Bytes::from(format!(r#"{{"action": "$credit", "payload": {{"items": -1}}, {of}}}"#));
        assert_eq!(super::tests::read(&text).message, Err(NO_CREDIT));
        let text = Bytes::from(format!(r#"{{"action": "$answer", "payload": 1, "ask": "1", {of}}}"#));
        assert_eq!(super::tests::read(&text).message, Err(NO_ASK));
        assert!(read(r#"{"action": "$ping", "reply_to": "caller:x", "request_id": 1}"#).unwrap().is_none());
        assert!(read(r#"{"action": "$item", "seq": 1}"#).unwrap().is_none(), "it names no session");
        assert!(read("[]").is_err());
    }
}
