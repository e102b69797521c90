//! The vectors in `tests/vectors`, against the wire types. `tests/vectors/README.md` says what they mean.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may, as tests may")]

use std::collections::BTreeMap;
use std::fmt::Debug;

use bytes::Bytes;
use daebus_caller::wire::{
    Channel, PayloadError, Reply, Request, ServiceName, decode_answer, decode_message, decode_payload,
    read_message,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

#[derive(Deserialize)]
struct Vector {
    #[serde(rename = "vector")]
    name: String,
    text: Option<String>,
    bytes: Option<Vec<u8>>,
    parts: Option<Vec<(String, usize)>>,
    #[serde(flatten)]
    expected: Map<String, Value>,
}

impl Vector {
    fn input(&self) -> Bytes {
        let parts = |parts: &[(String, usize)]| {
            parts.iter().map(|(text, times)| text.repeat(*times)).collect::<String>()
        };
        match (&self.text, &self.bytes, &self.parts) {
            (Some(text), None, None) => text.clone().into(),
            (None, Some(bytes), None) => bytes.clone().into(),
            (None, None, Some(list)) => parts(list).into(),
            _ => panic!("one of `text`, `bytes` and `parts`"),
        }
    }

    fn text(&self) -> String {
        String::from_utf8(self.input().into()).unwrap()
    }
}

/// Runs every vector of a file and reports all that fail, by name.
fn run(file: &str, vectors: &str, check: impl Fn(&Vector) -> Result<(), String>) {
    let vectors: Vec<Vector> = serde_json::from_str(vectors).unwrap();
    assert!(vectors.len() > 10, "{file} has lost its vectors");
    let failed: Vec<String> = vectors
        .iter()
        .filter_map(|vector| Some(format!("{file}: {}: {}", vector.name, check(vector).err()?)))
        .collect();
    assert!(failed.is_empty(), "{} of {} failed:\n{}", failed.len(), vectors.len(), failed.join("\n"));
}

fn same<T: PartialEq + Debug>(actual: &T, expected: &T) -> Result<(), String> {
    if actual == expected { Ok(()) } else { Err(format!("is {actual:?}\n  but should be {expected:?}")) }
}

/// Compares what was read, or why it wasn't, with the vector's `reads` or `fails`.
fn outcome(vector: &Vector, read: Result<Value, String>) -> Result<(), String> {
    match (read, vector.expected.get("reads"), vector.expected.get("fails")) {
        (Ok(read), Some(expected), None) => same(&read, expected),
        (Err(error), None, Some(Value::String(words))) if error.contains(words) => Ok(()),
        (read, expected, fails) => {
            Err(format!("gives {read:?}, expected {expected:?} or failing with {fails:?}"))
        }
    }
}

/// A payload as text, or for a long one its length.
fn put_payload(fields: &mut Map<String, Value>, payload: Option<&RawValue>) {
    match payload.map(RawValue::get) {
        Some(payload) if payload.len() > 10_000 => {
            fields.insert("payload_bytes".into(), payload.len().into())
        }
        Some(payload) => fields.insert("payload".into(), payload.into()),
        None => None,
    };
}

#[test]
fn requests() {
    run("requests.json", include_str!("../../vectors/requests.json"), |vector| {
        let read = read_message(&vector.input(), |_, text| {
            let request = Request::read(text)?;
            let mut fields = Map::new();
            let mut put =
                |name: &str, value: Option<Value>| value.map(|value| fields.insert(name.into(), value));
            put("action", request.action.as_deref().map(Value::from));
            put("reply_to", request.reply_to.as_deref().map(Value::from));
            put("request_id", request.request_id.map(|id| id.get().into()));
            put("service", request.service.as_deref().map(Value::from));
            put("reply_channel", request.reply_channel("me").map(Into::into));
            put("headers", (!request.headers.is_empty()).then(|| json!(request.headers)));
            put(
                "timeout_ms",
                request.timeout.map(|timeout| u64::try_from(timeout.as_millis()).unwrap().into()),
            );
            put("accepts", request.accepts_batches.then(|| json!(["batch"])));
            put_payload(&mut fields, request.payload.as_deref());
            Ok(Value::Object(fields))
        });
        outcome(vector, read.map_err(|error| error.to_string()))
    });
}

#[test]
fn replies() {
    run("replies.json", include_str!("../../vectors/replies.json"), |vector| {
        let read = read_message(&vector.input(), |_, text| {
            let reply = Reply::read(text)?;
            let mut fields = Map::new();
            let mut put =
                |name: &str, value: Option<Value>| value.map(|value| fields.insert(name.into(), value));
            let status = reply.status.as_str();
            put("status", (status != "success").then(|| status.into()));
            put("final", (!reply.is_final).then(|| false.into()));
            put("request_id", reply.request_id.as_deref().map(Value::from));
            put("instance", reply.instance.as_deref().map(Value::from));
            put("refused", reply.refused.then(|| true.into()));
            if status == "error" {
                let fault = reply.fault();
                let mut told = BTreeMap::from([("error", json!(fault.error()))]);
                fault.code().map(|code| told.insert("code", code.into()));
                (!fault.details().is_null()).then(|| told.insert("details", fault.details().clone()));
                fault.reserved_code().map(|_| told.insert("reserved", true.into()));
                put("fault", Some(json!(told)));
            }
            put_payload(&mut fields, reply.payload);
            Ok(Value::Object(fields))
        });
        outcome(vector, read.map_err(|error| error.to_string()))
    });
}

#[derive(Debug, Serialize, Deserialize)]
struct User {
    id: u64,
    name: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Rows {
    rows: Vec<User>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Options {
    limit: Option<f64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Nothing;

#[test]
fn payloads() {
    run("payloads.json", include_str!("../../vectors/payloads.json"), |vector| {
        let decoded = match vector.expected["as"].as_str().unwrap() {
            "user" => decode::<User>(vector),
            "rows" => decode::<Rows>(vector),
            "options" => decode::<Options>(vector),
            "option" => decode::<Option<u64>>(vector),
            "string" => decode::<String>(vector),
            "value" => decode::<Value>(vector),
            "raw" => decode::<Box<RawValue>>(vector).map(|raw| raw.to_string().into()),
            "unit" => decode::<()>(vector),
            "unit_struct" => decode::<Nothing>(vector),
            other => panic!("no type {other}"),
        };
        match (decoded, vector.expected.get("gives"), vector.expected.get("fails")) {
            (Ok(value), Some(expected), None) => same(&value, expected),
            (Err(error), None, Some(Value::String(words))) => {
                if error.to_string().len() > 1000 {
                    return Err(format!("the error has {} bytes", error.to_string().len()));
                }
                same(&error.field.as_str(), &vector.expected["field"].as_str().unwrap())?;
                if error.reason.contains(words) {
                    Ok(())
                } else {
                    Err(format!("fails with {error}, not {words}"))
                }
            }
            (decoded, gives, fails) => Err(format!("gives {decoded:?}, expected {gives:?} or {fails:?}")),
        }
    });
}

fn decode<T: DeserializeOwned + Serialize + 'static>(vector: &Vector) -> Result<Value, PayloadError> {
    let text = (!vector.expected.contains_key("absent")).then(|| vector.text());
    let value = match vector.expected["from"].as_str().unwrap() {
        "request" => decode_payload::<T>(text.as_deref()),
        "answer" => decode_answer::<T>(text.as_deref()),
        "message" => decode_message::<T>(&text.unwrap()),
        other => panic!("nothing comes from {other}"),
    };
    value.map(|value| serde_json::to_value(value).unwrap())
}

#[test]
fn names() {
    run("names.json", include_str!("../../vectors/names.json"), |vector| {
        let name = vector.text();
        let verdict =
            json!({"service": ServiceName::new(&name).is_ok(), "channel": Channel::new(&name).is_ok()});
        same(&verdict, &Value::Object(vector.expected.clone()))
    });
}
