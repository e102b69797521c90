//! One call of a client.

use std::time::Duration;

use daebus_caller::Caller;
use daebus_caller::wire::{Fault, RawJson};
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::answers::deliver;
use super::super::client::Client;
use super::super::waiting_frames::size;
use super::answer;
use super::visit::RequestSlot;

/// One call of a client, which is answered.
pub(super) struct ClientCall {
    pub(super) client: Client,
    pub(super) caller: Caller,
    pub(super) action: String,
    pub(super) payload: Box<RawValue>,
    pub(super) request_id: RawJson,
    pub(super) timeout: Duration,
    pub(super) wants_progress: bool,
    pub(super) slot: RequestSlot,
    /// The bytes of answers that may wait for the client.
    pub(super) answer_bytes: usize,
}

impl ClientCall {
    /// Makes the call and queues its answer. A client that leaves cancels the call.
    pub(super) async fn run(self) {
        let Self { client, caller, action, payload, request_id, timeout, wants_progress, slot, answer_bytes } =
            self;
        let mut call = caller.send_request::<Box<RawValue>>(&action, &payload).timeout(timeout);
        drop(payload);
        if wants_progress {
            let (client, request_id) = (client.clone(), request_id.clone());
            call = call.on_progress(move |update: Value| {
                // Progress may be dropped if the client reads slowly.
                let _ = client.push(answer::progress(&request_id, &update.to_string()));
            });
        }
        let outcome = tokio::select! {
            biased;
            () = client.outgoing().ended().cancelled() => return,
            () = client.outgoing().closing().cancelled() => return,
            outcome = call => outcome,
        };
        let frame = match outcome {
            Ok(data) => answer::success(&request_id, data.get()),
            Err(error) => answer::failure(&answer::fault_of(error), Some(&request_id), None),
        };
        let held = slot.visit.hold_answer(size(&frame), answer_bytes);
        let frame = match held {
            Some(_) => frame,
            None => answer::failure(&reads_too_slowly(), Some(&request_id), None),
        };
        deliver(&client, frame, |fault| answer::failure(fault, Some(&request_id), None)).await;
    }
}

fn reads_too_slowly() -> Fault {
    Fault::new("too_many_answers", "the answer was dropped, since the client reads its answers too slowly")
}
