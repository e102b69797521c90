//! Handles the gateway's frames.

use std::collections::{BTreeMap, HashMap};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::Message;
use bytes::Bytes;
use daebus_caller::Caller;
use daebus_caller::bus::Outbox;
use daebus_caller::wire::{Channel, Fault, FaultCode, RawJson, encode_payload};
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use serde_json::value::RawValue;
use tokio::sync::watch;
use tracing::{debug, error, info};

use super::super::client::Client;
use super::super::frame::ClientMessage;
use super::access::Access;
use super::allowed::AllowList;
use super::answer;
use super::builder::{Authorize, Gateway, GatewayLimits};
use super::call::ClientCall;
use super::feed::Stage;
use super::fields::fields;
use super::hub::Hub;
use super::visit::{RequestSlot, Visit};
use crate::handler::Core;
use crate::runtime::Workers;

/// The maximum size of a request ID, as it is written in JSON.
const REQUEST_ID_BYTES: usize = 256;

/// How long a broadcast waits for a bus that is away.
const WITHIN: Duration = Outbox::OUTAGE;

/// The types of the gateway's frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::socket) enum FrameKind {
    Publish,
    Subscribe,
    Unsubscribe,
    Broadcast,
}

impl FrameKind {
    /// The message types that handlers can't have if there is a gateway.
    pub(in crate::socket) const NAMES: [&str; 4] = ["publish", "subscribe", "unsubscribe", "broadcast"];

    pub(in crate::socket) fn of(kind: &str) -> Option<Self> {
        match kind {
            "publish" => Some(Self::Publish),
            "subscribe" => Some(Self::Subscribe),
            "unsubscribe" => Some(Self::Unsubscribe),
            "broadcast" => Some(Self::Broadcast),
            _ => None,
        }
    }
}

/// The gateway of a running service.
pub(in crate::socket) struct GatewayServer {
    allowed: AllowList,
    authorize: Option<Authorize>,
    limits: GatewayLimits,
    call_bytes: usize,
    answer_bytes: usize,
    callers: BTreeMap<String, Caller>,
    outbox: Outbox,
    workers: Workers,
    hub: Hub,
    /// By the address of the client's queue, which outlives the client's session.
    visits: Mutex<HashMap<usize, Arc<Visit>>>,
}

/// What handling a frame results in: a frame to send, now or after something has happened.
type FrameAnswer = BoxFuture<'static, Option<Message>>;

impl GatewayServer {
    /// `call_bytes` bounds the payloads of a client's calls in flight, `queue_bytes` the answers that wait for a client and
    /// the messages of a channel.
    pub(in crate::socket) fn new(
        gateway: Gateway,
        core: &Arc<Core>,
        workers: &Workers,
        (call_bytes, queue_bytes): (usize, usize),
    ) -> Self {
        let Gateway { allowed, authorize, limits } = gateway;
        info!("the gateway allows WebSocket clients: {allowed}");
        let caller = |service: &str| (service.to_owned(), Caller::from_link(core.link.clone(), service));
        Self {
            callers: allowed.services().map(caller).collect(),
            allowed,
            authorize,
            limits,
            call_bytes,
            answer_bytes: queue_bytes,
            outbox: core.outbox.clone(),
            workers: workers.clone(),
            hub: Hub::new(Arc::clone(core), workers.clone(), queue_bytes),
            visits: Mutex::default(),
        }
    }

    /// Handles a frame. The future resolves to the frame that answers it; calls are answered later, by tasks of their own.
    pub(in crate::socket) fn handle(
        &self,
        client: &Client,
        kind: FrameKind,
        message: ClientMessage,
    ) -> FrameAnswer {
        let (channel, request_id) = (message.channel.clone(), message.request_id.clone());
        let outcome = match kind {
            FrameKind::Publish => self.publish(client, message),
            FrameKind::Subscribe => self.subscribe(client, message),
            FrameKind::Unsubscribe => self.unsubscribe(client, message),
            FrameKind::Broadcast => self.broadcast(client, message),
        };
        outcome.unwrap_or_else(|Refused { fault, request_id: own_id }| {
            debug!(
                client = client.id(),
                ?kind,
                error = fault.error(),
                "a frame of a WebSocket client is refused"
            );
            let request_id = own_id.or_else(|| request_id.filter(is_id));
            let channel = channel.filter(|channel| Channel::check(channel).is_ok());
            let frame = answer::failure(&fault, request_id.as_ref(), channel.as_deref());
            Box::pin(std::future::ready(Some(frame)))
        })
    }

    /// Returns the answer to one of the gateway's frames that is above the client's rate limit. `None` if the frame has no
    /// request ID, or is not the gateway's.
    pub(in crate::socket) fn rate_limited(message: &ClientMessage, seconds: u64) -> Option<Message> {
        let kind = FrameKind::of(&message.kind)?;
        let within = message.data.as_ref().filter(|_| kind == FrameKind::Publish).and_then(|data| {
            let [request_id] = fields(data.as_str(), ["request_id"]).ok()?;
            request_id.map(|id| part(data, id))
        });
        let request_id = within.or_else(|| message.request_id.clone()).filter(is_id)?;
        Some(answer::rate_limited(seconds, &request_id))
    }

    /// Ends the client's subscriptions. Its calls end by themselves.
    pub(in crate::socket) fn left(&self, client: &Client) {
        let key = key_of(client);
        let visit = self.visits.lock().remove(&key);
        for topic in visit.iter().flat_map(|visit| visit.take_topics()) {
            self.hub.leave(&topic, key);
        }
    }

    /// `publish`: calls an action.
    fn publish(&self, client: &Client, message: ClientMessage) -> Result<FrameAnswer, Refused> {
        let data =
            message.data.ok_or_else(|| malformed("`data` is missing: it has `action` and `payload`"))?;
        let names = ["action", "payload", "request_id", "timeout_ms", "reply_channel"];
        let [action, payload, own_id, timeout_ms, reply_channel] = fields(data.as_str(), names)
            .map_err(|_| malformed("`data` must be an object with `action` and `payload`"))?;
        let request_id =
            own_id.map(|id| part(&data, id)).or(message.request_id).filter(|id| id.as_str() != "null");
        if request_id.as_ref().is_some_and(|id| !is_id(id)) {
            return Err(id_too_long());
        }
        let refuse = |fault: Fault| Refused { fault, request_id: request_id.clone() };
        let service = named(message.channel).map_err(|refused| refuse(refused.fault))?;
        let action: Option<String> = action.and_then(|action| serde_json::from_str(action.get()).ok());
        let action = action.ok_or_else(|| refuse(malformed("`data.action` must be a string").fault))?;
        self.check(client, Access::Call { service: &service, action: &action }).map_err(&refuse)?;
        let payload = payload.map_or_else(|| serde_json::from_str("{}"), Ok);
        let payload: &RawValue = payload.map_err(|_| refuse(Fault::internal()))?;
        let Some(request_id) = request_id.clone() else {
            return Ok(self.one_way(service, &action, payload));
        };
        let caller = self.callers.get(&service).cloned().ok_or_else(|| refuse(Fault::internal()))?;
        let slot = self.open_call(client, &request_id, payload.get().len()).map_err(&refuse)?;
        let asked: Option<u64> = timeout_ms.and_then(|timeout| serde_json::from_str(timeout.get()).ok());
        let asked = asked.map_or(Duration::MAX, Duration::from_millis);
        let call = ClientCall {
            client: client.clone(),
            caller,
            action,
            payload: payload.to_owned(),
            request_id,
            timeout: self.limits.call_timeout.min(asked),
            // The TypeScript client of Python Daebus sends `reply_channel`, and takes progress for the answer.
            wants_progress: reply_channel.is_none(),
            slot,
            answer_bytes: self.answer_bytes,
        };
        self.workers.spawn(call.run());
        Ok(nothing())
    }

    /// Publishes a request without a reply. It is published before the client's next message is handled, so that the order
    /// is kept.
    fn one_way(&self, service: String, action: &str, payload: &RawValue) -> FrameAnswer {
        let outbox = self.outbox.clone();
        let request = encode_payload(payload).map(|payload| {
            // Not the flat form, in which fields of the payload would be taken for those of the request.
            format!("{{\"action\":{},\"payload\":{}}}", serde_json::Value::from(action), payload.as_str())
        });
        Box::pin(async move {
            let Ok(request) = request else { return Some(answer::failure(&Fault::internal(), None, None)) };
            publish(&outbox, &service, request.into(), None).await
        })
    }

    /// `subscribe`: forwards the messages of a channel, or of a pattern of the allow-list.
    fn subscribe(&self, client: &Client, message: ClientMessage) -> Result<FrameAnswer, Refused> {
        let channel = named(message.channel)?;
        let access = Access::Subscribe { channel: &channel };
        self.check(client, access)?;
        let topic = self.allowed.topic(&channel).ok_or_else(|| not_allowed(access))?;
        let visit = self.visit(client);
        let request_id = message.request_id.filter(|id| id.as_str() != "null");
        if request_id.as_ref().is_some_and(|id| !is_id(id)) {
            return Err(id_too_long());
        }
        // Bounds the answers that wait for the bus.
        let slot = request_id.as_ref().map(|id| visit.open_confirmation(id, &self.limits)).transpose()?;
        let stage = if visit.add_topic(&topic, &self.limits)? {
            Some(self.hub.join(&topic, key_of(client), client.outgoing()))
        } else {
            self.hub.stage(&topic)
        };
        if let (Some(slot), Some(request_id), Some(stage)) = (slot, request_id, stage) {
            self.workers.spawn(confirm(client.clone(), slot, request_id, stage));
        }
        Ok(nothing())
    }

    /// `unsubscribe`. Waits until the bus has ended the subscription if the client was its last one, so that a client can't
    /// make the service subscribe faster than the bus confirms.
    fn unsubscribe(&self, client: &Client, message: ClientMessage) -> Result<FrameAnswer, Refused> {
        let channel = named(message.channel)?;
        let request_id = message.request_id.filter(is_id);
        let topic = self.allowed.topic(&channel);
        let left = topic.filter(|topic| self.visit(client).remove_topic(topic));
        let ending = left.and_then(|topic| self.hub.leave(&topic, key_of(client)));
        Ok(Box::pin(async move {
            if let Some(mut stage) = ending {
                // An error means that the subscription's task has ended.
                let _ = stage.wait_for(|stage| *stage == Stage::Ended).await;
            }
            request_id.map(|id| answer::success(&id, "{}"))
        }))
    }

    /// `broadcast`: publishes on a channel.
    fn broadcast(&self, client: &Client, message: ClientMessage) -> Result<FrameAnswer, Refused> {
        let channel = named(message.channel)?;
        self.check(client, Access::Publish { channel: &channel })?;
        let data = message.data.unwrap_or_else(RawJson::empty_object);
        // What can't be read is refused as well: a service may read it nevertheless.
        let is_request = data.as_str().trim_start().starts_with('{')
            && !matches!(fields(data.as_str(), ["action"]), Ok([None]));
        if is_request {
            return Err(malformed(
                "a broadcast with a field `action` is refused: a service would take it for a request",
            ));
        }
        let (outbox, request_id) = (self.outbox.clone(), message.request_id.filter(is_id));
        Ok(Box::pin(async move { publish(&outbox, &channel, data.into_bytes(), request_id).await }))
    }

    /// Checks the allow-list, and then the application's function.
    fn check(&self, client: &Client, access: Access<'_>) -> Result<(), Fault> {
        let is_authorized = || match &self.authorize {
            None => true,
            Some(allow) => {
                let decided = std::panic::catch_unwind(AssertUnwindSafe(|| allow(client, access)));
                decided.unwrap_or_else(|_| {
                    error!(client = client.id(), %access, "the function of Gateway::authorize panicked; the access is refused");
                    false
                })
            }
        };
        if self.allowed.has(access) && is_authorized() { Ok(()) } else { Err(not_allowed(access)) }
    }

    fn open_call(&self, client: &Client, request_id: &RawJson, bytes: usize) -> Result<RequestSlot, Fault> {
        self.visit(client).open_call(request_id, bytes, &self.limits, self.call_bytes)
    }

    fn visit(&self, client: &Client) -> Arc<Visit> {
        Arc::clone(self.visits.lock().entry(key_of(client)).or_default())
    }
}

/// A frame that is not carried out.
struct Refused {
    fault: Fault,
    /// The request ID within `data`, if it has one.
    request_id: Option<RawJson>,
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self { fault, request_id: None }
    }
}

/// Answers a subscription once the bus has confirmed it.
async fn confirm(client: Client, slot: RequestSlot, request_id: RawJson, mut stage: watch::Receiver<Stage>) {
    tokio::select! {
        biased;
        () = client.outgoing().ended().cancelled() => return,
        () = client.outgoing().closing().cancelled() => return,
        // An error means that the subscription has ended.
        _ = stage.wait_for(|stage| *stage != Stage::Joining) => {}
    }
    // The queue has a place for a frame of this size once the client has read one.
    let _ = client.outgoing().deliver(answer::success(&request_id, "{}")).await;
    drop(slot);
}

/// Publishes a message; the outcome is an answer if the client expects one, or if it failed.
async fn publish(
    outbox: &Outbox,
    channel: &str,
    message: Bytes,
    request_id: Option<RawJson>,
) -> Option<Message> {
    match outbox.publish(channel, message, WITHIN).await {
        Ok(receivers) => request_id.map(|id| answer::success(&id, &format!("{{\"receivers\":{receivers}}}"))),
        Err(error) => Some(answer::failure(&answer::unavailable(&error), request_id.as_ref(), Some(channel))),
    }
}

fn nothing() -> FrameAnswer {
    Box::pin(std::future::ready(None))
}

/// Identifies a client as long as its queue exists.
fn key_of(client: &Client) -> usize {
    Arc::as_ptr(client.outgoing()).addr()
}

fn named(channel: Option<String>) -> Result<String, Refused> {
    channel.ok_or_else(|| malformed("`channel` must be a string"))
}

fn is_id(id: &RawJson) -> bool {
    id.as_str() != "null" && id.as_str().len() <= REQUEST_ID_BYTES
}

/// Returns a field of `whole` that can be kept.
fn part(whole: &RawJson, field: &RawValue) -> RawJson {
    RawJson::slice_of(whole.as_bytes(), field)
}

fn id_too_long() -> Refused {
    malformed(&format!("a request_id has at most {REQUEST_ID_BYTES} bytes"))
}

fn malformed(words: &str) -> Refused {
    Fault::reserved(FaultCode::InvalidPayload, words).into()
}

fn not_allowed(access: Access<'_>) -> Fault {
    Fault::new("not_allowed", format!("{access} are not allowed here")).with_status(403)
}
