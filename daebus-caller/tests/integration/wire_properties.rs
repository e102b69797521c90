//! What holds for the wire types whatever is said: what we write we read back, and whatever arrives does no harm.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may, as tests may")]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::{Duration, Instant};

use bytes::Bytes;
use daebus_caller::Fault;
use daebus_caller::contract::FromFault;
use daebus_caller::wire::{
    Channel, RawJson, Reply, ReplyWriter, Request, RequestWriter, ServiceName, Status, decode_answer,
    decode_message, decode_payload, encode, encode_flat, encode_payload, read_message,
};
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A type with a bit of everything, as applications have them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Everything {
    flag: bool,
    count: i64,
    large: u64,
    ratio: f64,
    text: String,
    maybe: Option<String>,
    list: Vec<i32>,
    map: BTreeMap<String, u8>,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Kind {
    Plain,
    With(String),
    Named { id: u32 },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Nothing;

fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Plain),
        any::<String>().prop_map(Kind::With),
        any::<u32>().prop_map(|id| Kind::Named { id })
    ]
}

fn small_list() -> impl Strategy<Value = Vec<i32>> {
    prop::collection::vec(any::<i32>(), 0..6)
}

fn small_map() -> impl Strategy<Value = BTreeMap<String, u8>> {
    prop::collection::btree_map(any::<String>(), any::<u8>(), 0..6)
}

fn everything() -> impl Strategy<Value = Everything> {
    let floats = prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO;
    let parts = (any::<bool>(), any::<i64>(), any::<u64>(), floats, any::<String>());
    let more = (any::<Option<String>>(), small_list(), small_map(), kinds());
    (parts, more).prop_map(|((flag, count, large, ratio, text), (maybe, list, map, kind))| Everything {
        flag,
        count,
        large,
        ratio,
        text,
        maybe,
        list,
        map,
        kind,
    })
}

/// Any JSON value.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::num::f64::NORMAL.prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..8)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Text that is nearly what the protocol has: its words and its punctuation, in any order.
fn nearly_json() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "\\u",
        "d800",
        " ",
        "\n",
        "null",
        "true",
        "NaN",
        "-Infinity",
        "-",
        "1e9",
        "0",
        "\"action\"",
        "\"payload\"",
        "\"reply_to\"",
        "\"request_id\"",
        "\"service\"",
        "\"headers\"",
        "\"timeout_ms\"",
        "\"accepts\"",
        "\"status\"",
        "\"error\"",
        "\"final\"",
        "\"code\"",
        "\"details\"",
        "é",
        "\u{0}",
        "x",
    ]);
    prop::collection::vec(words, 0..60).prop_map(|words| words.concat())
}

/// An object with the protocol's fields, each holding any value at all.
fn odd_envelopes() -> impl Strategy<Value = String> {
    let names = prop::sample::select(vec![
        "action",
        "payload",
        "reply_to",
        "request_id",
        "service",
        "headers",
        "timeout_ms",
        "accepts",
        "status",
        "final",
        "instance",
        "error",
    ]);
    prop::collection::vec((names, values()), 0..12).prop_map(|fields| {
        let fields: Vec<String> =
            fields.into_iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", fields.join(","))
    })
}

/// Both ways a payload goes: as a request's, and as an answer's or broadcast's.
fn comes_back<T: Serialize + DeserializeOwned + PartialEq + Debug + 'static>(value: &T) {
    let request = encode_payload(value).unwrap();
    assert_eq!(&decode_payload::<T>(Some(request.as_str())).unwrap(), value, "as a request: {request:?}");
    let answer = encode(value).unwrap();
    assert_eq!(&decode_answer::<T>(Some(answer.as_str())).unwrap(), value, "as an answer: {answer:?}");
    assert_eq!(&decode_message::<T>(answer.as_str()).unwrap(), value, "as a broadcast: {answer:?}");
}

/// Reads a message in every way there is. Nothing is asked of what comes out.
fn read_in_every_way(message: &Bytes) {
    let _ = read_message(message, |bytes, text| {
        let request = Request::read(text)?;
        let _ = request.reply_channel("me");
        let payload = request.payload.as_deref().map(serde_json::value::RawValue::get);
        let _ = decode_payload::<Everything>(payload);
        let _ = decode_payload::<String>(payload);
        let _ = decode_payload::<Value>(payload);
        let _ = decode_payload::<()>(payload);
        Ok(bytes.len())
    });
    let _ = read_message(message, |_, text| {
        let reply = Reply::read(text)?;
        let _ = Fault::from_fault(reply.fault());
        let _ = decode_answer::<Everything>(reply.payload.map(serde_json::value::RawValue::get));
        Ok(())
    });
    if let Ok(text) = std::str::from_utf8(message) {
        let _ = decode_message::<Everything>(text);
        let _ = decode_message::<Value>(text);
        let _ = ServiceName::new(text).map_err(|error| error.to_string());
        let _ = Channel::new(text).map_err(|error| error.to_string());
    }
}

proptest! {
    #[test]
    fn payloads_come_back(value in everything()) {
        comes_back(&value);
        comes_back(&vec![value.clone()]);
        comes_back(&Some(value));
    }

    #[test]
    fn text_comes_back_whatever_it_says(text in any::<String>(), odd in nearly_json()) {
        comes_back(&text);
        comes_back(&odd);
        comes_back(&Some(text.clone()));
        // Text that is JSON itself is the trap.
        comes_back(&serde_json::to_string(&text).unwrap());
        comes_back(&serde_json::to_string(&serde_json::to_string(&odd).unwrap()).unwrap());
    }

    #[test]
    fn values_come_back(value in values()) {
        // As a request's payload text that is JSON is decoded once more, and null is as good as nothing, so any value
        // at all only comes back within another.
        comes_back(&vec![value.clone()]);
        comes_back(&value.to_string());
        let answer = encode(&value).unwrap();
        prop_assert_eq!(decode_answer::<Value>(Some(answer.as_str())).unwrap(), value);
    }

    #[test]
    fn kinds_come_back(kind in kinds()) {
        comes_back(&kind);
    }

    #[test]
    fn requests_come_back(
        action in any::<String>(),
        payload in values(),
        reply_to in prop::option::of("\\PC{1,40}"),
        id in prop::option::of(any::<String>()),
        service in any::<String>(),
        headers in prop::collection::btree_map(any::<String>(), any::<String>(), 0..6),
        millis in prop::option::of(0_u64..86_400_000),
        accepts in prop::collection::vec("batch|[a-z]{1,8}", 0..3),
    ) {
        let payload = encode_payload(&payload).unwrap();
        let words: Vec<&str> = accepts.iter().map(String::as_str).collect();
        let written = RequestWriter {
            action: &action,
            payload: &payload,
            reply_to: reply_to.as_deref(),
            request_id: id.as_deref(),
            service: &service,
            headers: &headers,
            timeout: millis.map(Duration::from_millis),
            accepts: &words,
        }
        .write();
        let text = std::str::from_utf8(&written).unwrap();
        let read = Request::read(text).unwrap();
        prop_assert_eq!(read.action.as_deref(), Some(&*action));
        prop_assert_eq!(read.payload.as_deref().map(serde_json::value::RawValue::get), Some(payload.as_str()));
        prop_assert_eq!(read.reply_to.as_deref(), reply_to.as_deref());
        let read_id: Option<String> = read.request_id.map(|id| serde_json::from_str(id.get()).unwrap());
        prop_assert_eq!(read_id, id);
        prop_assert_eq!(read.service.as_deref(), Some(&*service));
        prop_assert_eq!(&read.headers, &headers);
        // Milliseconds travel, and may be read as a double.
        let sent = millis.map(Duration::from_millis);
        prop_assert!(read.timeout.zip(sent).is_none_or(|(read, sent)| read.abs_diff(sent) < Duration::from_micros(1)));
        prop_assert_eq!(read.timeout.is_some(), sent.is_some());
        prop_assert_eq!(read.accepts_batches, words.contains(&"batch"));
    }

    #[test]
    fn replies_come_back(payload in values(), id in values(), is_final in any::<bool>(), refused in any::<bool>(), status in 0..3_usize) {
        let status = [Status::Success, Status::Error, Status::Progress][status];
        let payload = encode(&payload).unwrap();
        let id = RawJson::from_value(&id).unwrap();
        let written = ReplyWriter { status, payload: &payload, request_id: Some(&id), is_final, instance: "svc@1", refused }.write();
        let text = std::str::from_utf8(&written).unwrap();
        let read = Reply::read(text).unwrap();
        prop_assert_eq!(read.status, status);
        prop_assert_eq!(read.is_final, is_final);
        prop_assert_eq!(read.payload.map(serde_json::value::RawValue::get), Some(payload.as_str()));
        prop_assert_eq!(read.instance.as_deref(), Some("svc@1"));
        prop_assert_eq!(read.refused, refused);
        prop_assert_eq!(text.contains(r#","refused":true}"#), refused);
        let id: Value = serde_json::from_str(id.as_str()).unwrap();
        prop_assert_eq!(read.request_id.as_deref(), id.as_str());
    }

    #[test]
    fn faults_come_back(error in any::<String>(), code in "[a-z_]{1,20}", details in values()) {
        let fault = Fault::new(code, error).with_details(details);
        let payload = fault.to_payload();
        let written = ReplyWriter { status: Status::Error, payload: &payload, request_id: None, is_final: true, instance: "i", refused: false }.write();
        let read = Reply::read(std::str::from_utf8(&written).unwrap()).unwrap().fault();
        prop_assert_eq!((read.error(), read.code(), read.details()), (fault.error(), fault.code(), fault.details()));
    }

    #[test]
    fn one_way_messages_come_back(payload in values(), action in any::<String>()) {
        let written = encode_flat(&payload, &action).unwrap();
        let read = Request::read(written.as_str()).unwrap();
        prop_assert_eq!(read.action.as_deref(), Some(&*action));
        let payload_read: Option<Value> =
            read.payload.map(|payload| decode_payload(Some(payload.get())).unwrap());
        // An object without fields is the same as no payload.
        let expected = Some(payload).filter(|payload| payload != &serde_json::json!({}));
        prop_assert_eq!(payload_read, expected);
    }

    #[test]
    fn a_broadcast_s_bytes_do_no_harm(bytes in any::<Vec<u8>>()) {
        read_in_every_way(&bytes.into());
    }

    #[test]
    fn what_is_nearly_json_does_no_harm(text in nearly_json()) {
        read_in_every_way(&text.into());
    }

    #[test]
    fn odd_envelopes_are_envelopes_still(text in odd_envelopes()) {
        prop_assert!(Request::read(&text).is_ok() && Reply::read(&text).is_ok());
        read_in_every_way(&text.into());
    }

    #[test]
    fn a_message_cut_off_does_no_harm(value in everything(), cut in any::<prop::sample::Index>()) {
        let payload = encode_payload(&value).unwrap();
        let headers = BTreeMap::new();
        let request = RequestWriter {
            action: "a", payload: &payload, reply_to: Some("c"), request_id: Some("i"), service: "s", headers: &headers,
            timeout: None, accepts: &[],
        };
        let written = request.write();
        read_in_every_way(&written.slice(..cut.index(written.len())));
    }
}

#[test]
fn what_says_nothing_comes_back() {
    comes_back(&());
    comes_back(&Nothing);
    comes_back(&None::<u64>);
    assert_eq!(encode(&()).unwrap().as_str(), "{}");
    assert_eq!(encode(&&()).unwrap().as_str(), "{}", "by reference, as a generic sender passes it on");
    assert_eq!(encode(&Nothing).unwrap().as_str(), "{}");
    assert_eq!(encode(&&Nothing).unwrap().as_str(), "{}");
    assert_eq!(encode(&None::<()>).unwrap().as_str(), "null");
    assert_eq!(encode(&Value::Null).unwrap().as_str(), "null");
    assert_eq!(encode(&&Value::Null).unwrap().as_str(), "null");
}

/// A quarter megabyte of whatever an algorithm that looks back would choke on. What is linear takes a tenth of a second
/// even unoptimized; what is quadratic takes minutes.
#[test]
fn long_rubbish_takes_no_longer_than_its_length() {
    const LENGTH: usize = 250_000;
    let of = |begin: &str, middle: &str, end: &str| {
        Bytes::from(format!("{begin}{}{end}", middle.repeat(LENGTH / middle.len())))
    };
    let cases = [
        of("", "[", ""),
        of("", "]", ""),
        of("", "{\"a\":", ""),
        of("{\"payload\":", "[", ""),
        of("{\"payload\":", "NaN,", "}"),
        of("{\"payload\":[", "NaN,", "NaN]}"),
        of("{\"payload\":[NaN,\"", "\\\\", "\"]}"),
        of("{\"payload\":[", "-", "]}"),
        of("{\"payload\":\"", "\\\"", "\"}"),
        of("{\"payload\":\"", "\\ud800", "\"}"),
        of("{\"payload\":\"", "\\\\\\\"", "\"}"),
        of("{", "\"action\":\"a\",", "\"action\":\"a\"}"),
        of("{", "\"\\u0061ction\":\"a\",", "\"action\":\"a\"}"),
        of("{", "\"reply_to\":1,\"request_id\":1,", "\"action\":\"a\"}"),
        of("{\"payload\":{},\"headers\":{", "\"a\":\"\\n\",", "\"a\":\"\"}}"),
        of("{\"payload\":{},\"accepts\":[", "\"a\",", "1]}"),
        of("{\"payload\":{},\"timeout_ms\":", "9", "}"),
        of("{\"payload\":{},\"timeout_ms\":0.", "9", "e-9}"),
        of("{\"status\":\"error\",\"payload\":{\"error\":\"x\",\"details\":", "[", "}}"),
        of("{\"status\":\"error\",\"payload\":{", "\"error\":\"x\",", "\"code\":\"\"}}"),
        of("{\"request_id\":\"", "a", "\"}"),
        of("", " ", ""),
        of("", "\u{e9}", ""),
        of("", "\"", ""),
        of("", "\\", ""),
    ];
    for message in cases {
        let started = Instant::now();
        read_in_every_way(&message);
        let took = started.elapsed();
        assert!(took < Duration::from_secs(10), "{:?}… took {took:?}", &message[..40]);
    }
}
