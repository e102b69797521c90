//! Messages of the bus and of WebSockets.

use bytes::Bytes;
use daebus_caller::bus::Message;
use daebus_caller::wire::presence::MemberEvent;
use daebus_caller::wire::{
    BATCH_MESSAGES, Batch, Headers, Instance, RawJson, Reply, TraceContext, beginning, decode_payload,
    is_batch, read_message, write_batch,
};
use serde_json::Value;

use crate::parsers;

/// A message of the bus, read as everything that a message may be.
pub fn wire(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    let message = Message::new("service", bytes.clone());
    if let Some((payload, request_id)) = parsers::request(&message) {
        payload.iter().chain(&request_id).for_each(is_json);
    }
    // A broadcast is JSON only if its handler can decode it.
    if let Some(payload) = parsers::broadcast(&message) {
        let _ = decode_payload::<Value>(Some(payload.as_str()));
    }
    let _ = read_message(&bytes, |_, text| {
        let reply = Reply::read(text)?;
        let fault = reply.fault();
        is_json(&fault.to_payload());
        assert_eq!(fault.is_refused(), reply.refused);
        if let Some(payload) = reply.payload {
            let _ = decode_payload::<Value>(Some(payload.get()));
        }
        Ok(())
    });
    if let Ok(instance) = Instance::read(&bytes) {
        let again = Instance::read(&instance.write());
        assert!(again.is_ok_and(|again| again.id == instance.id && again.run == instance.run));
    }
    if let Ok(event) = MemberEvent::read(&bytes) {
        assert!(MemberEvent::read(&event.write()).is_ok());
    }
    if let Ok(headers) = serde_json::from_slice::<Headers>(data)
        && let Some(trace) = TraceContext::from_headers(&headers)
    {
        let mut passed_on = Headers::new();
        trace.add_to(&mut passed_on);
        assert!(TraceContext::from_headers(&passed_on).is_some(), "{passed_on:?} isn't accepted again");
    }
    // What logs quote is bounded, whatever was received.
    assert!(beginning(data).len() <= 1024);
}

/// A batch: each element is JSON and a slice of the batch, and the elements, written again, are the same batch.
pub fn batch(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    let Ok(batch) = Batch::read(&bytes) else { return };
    assert!(is_batch(&bytes) && batch.messages.len() <= BATCH_MESSAGES);
    for message in &batch.messages {
        assert!(serde_json::from_slice::<&serde_json::value::RawValue>(message).is_ok());
        parsers::request(&Message::new("daebus:to:service@00000000", message.clone()));
    }
    if let [_, _, ..] = &*batch.messages {
        let again = Batch::read(&write_batch(&batch.messages));
        assert!(again.is_ok_and(|again| again.messages == batch.messages && again.dropped == 0));
    }
}

/// A frame of a WebSocket client.
pub fn frame(data: &[u8]) {
    if let Some((data, request_id)) = parsers::frame(&Bytes::copy_from_slice(data)) {
        data.iter().chain(&request_id).for_each(is_json);
    }
}

fn is_json(json: &RawJson) {
    let text = json.as_str();
    assert!(serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok(), "{text:?} isn't JSON");
}
