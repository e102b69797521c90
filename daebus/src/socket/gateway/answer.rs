//! The frames that the gateway sends.

use axum::extract::ws::Message;
use daebus_caller::wire::{Fault, FaultCode, RawJson};
use daebus_caller::{BusError, CallError};
use tracing::debug;

use super::super::frame::{quoted, write};

/// The answer of a call.
pub(super) fn success(request_id: &RawJson, data: &str) -> Message {
    write("response", &[("success", "true"), ("data", data)], Some(request_id))
}

/// An error. With a request ID it is the answer of a call, so that a promise of the client fails; without one it has the
/// type `error`.
///
/// It never has a field `data`: a client takes a frame with `channel` and `data` for a message on that channel.
pub(super) fn failure(fault: &Fault, request_id: Option<&RawJson>, channel: Option<&str>) -> Message {
    let kind = if request_id.is_some() { "response" } else { "error" };
    let (error, code) = (quoted(fault.error()), fault.code().map(quoted));
    let details = (!fault.details().is_null()).then(|| fault.details().to_string());
    let channel = channel.map(quoted);
    let fields = [
        ("success", Some("false")),
        ("channel", channel.as_deref()),
        ("error", Some(error.as_str())),
        ("code", code.as_deref()),
        ("details", details.as_deref()),
    ];
    let fields: Vec<_> = fields.into_iter().filter_map(|(name, json)| Some((name, json?))).collect();
    write(kind, &fields, request_id)
}

/// Progress of a call.
pub(super) fn progress(request_id: &RawJson, data: &str) -> Message {
    write("progress", &[("data", data)], Some(request_id))
}

/// A message of the bus. `pattern` is the subscription's, if it is one.
pub(super) fn channel_message(channel: &str, pattern: Option<&str>, data: &str) -> Message {
    let (channel, pattern) = (quoted(channel), pattern.map(quoted));
    let mut fields = vec![("channel", channel.as_str()), ("data", data)];
    fields.extend(pattern.as_deref().map(|pattern| ("pattern", pattern)));
    write("channel_message", &fields, None)
}

/// A frame that is above the client's rate limit; `seconds` is the time of the rate.
pub(super) fn rate_limited(seconds: u64, request_id: &RawJson) -> Message {
    let seconds = seconds.to_string();
    let fields = [
        ("success", "false"),
        ("error", "\"Rate limit exceeded\""),
        ("code", "\"rate_limited\""),
        ("retry_after", seconds.as_str()),
    ];
    write("response", &fields, Some(request_id))
}

/// Returns the error of a call as a client receives it, without the address of the bus.
pub(super) fn fault_of(error: CallError) -> Fault {
    let words = error.to_string();
    match error {
        CallError::Service(fault) | CallError::Fault(fault) => fault,
        CallError::NoService { service } => {
            Fault::new("no_service", format!("no service {service:?} is on the bus")).with_status(503)
        }
        CallError::Timeout { .. } => Fault::reserved(FaultCode::DeadlineExceeded, words),
        CallError::InstanceLost { .. } => Fault::new("instance_lost", words).with_status(503),
        CallError::Bus(error) => unavailable(&error),
        CallError::Closed => Fault::reserved(FaultCode::ShuttingDown, "the service is shutting down"),
        _ => {
            debug!(error = words, "a call of a WebSocket client failed");
            Fault::internal()
        }
    }
}

/// Returns the error of a bus that is away.
pub(super) fn unavailable(error: &BusError) -> Fault {
    debug!(%error, "the bus failed for a WebSocket client");
    let words = if error.is_not_sent() {
        "the bus is not available; nothing was sent"
    } else {
        "the bus is not available; the message may have been sent"
    };
    Fault::new("unavailable", words).with_status(503)
}
