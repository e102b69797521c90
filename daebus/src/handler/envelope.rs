//! A message and what its envelope says, owned.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use daebus_caller::bus::{Batching, Message};
use daebus_caller::wire::{
    BATCH, Channel, Headers, NameError, RawJson, ReadError, Request, read_message, reply_channel,
};
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::reply::ReplyAddress;

/// A message and what its envelope says, owned; the pieces are slices of the message.
#[derive(Debug)]
pub(crate) struct Envelope {
    pub(crate) channel: Arc<str>,
    pub(crate) raw: RawJson,
    /// `None`: absent.
    pub(crate) payload: Option<RawJson>,
    pub(crate) action: Option<String>,
    pub(crate) request_id: Option<RawJson>,
    pub(crate) reply_to: Option<String>,
    pub(crate) service: Option<String>,
    pub(crate) headers: Headers,
    pub(crate) timeout: Option<Duration>,
    /// Whether the inbox for the reply accepts batches.
    pub(crate) accepts_batches: bool,
    pub(crate) received: Instant,
}

/// A request that can't be read, and its envelope where that much of it could be.
pub(crate) struct UnreadableRequest {
    pub(crate) error: ReadError,
    pub(crate) envelope: Option<Box<Envelope>>,
}

impl Envelope {
    /// Reads a request's envelope, once.
    pub(crate) fn of_request(message: &Message) -> Result<Self, UnreadableRequest> {
        let channel = &message.channel;
        let read =
            |text: &Bytes, json: &str| Ok(Self::new(channel, message.received, text, &Request::read(json)?));
        read_message(&message.payload, read).map_err(|error| {
            // Bad bytes in the payload need not hide whom to tell.
            let text = Bytes::from(String::from_utf8_lossy(&message.payload).into_owned());
            UnreadableRequest { error, envelope: read_message(&text, read).ok().map(Box::new) }
        })
    }

    /// Reads a broadcast: a bare value, which is the payload. Where it looks like a request, its fields are there too.
    pub(crate) fn of_broadcast(message: &Message) -> Result<Self, ReadError> {
        read_message(&message.payload, |text, json| {
            let request = Request::read(json).unwrap_or_default();
            let payload = Some(RawJson::whole(text));
            Ok(Self { payload, ..Self::new(&message.channel, message.received, text, &request) })
        })
    }

    /// A WebSocket message: its type, its `data`, and the id that its answer is to carry.
    pub(crate) fn of_frame(
        path: Arc<str>,
        raw: RawJson,
        kind: String,
        data: Option<RawJson>,
        request_id: Option<RawJson>,
    ) -> Self {
        Self {
            channel: path,
            raw,
            payload: data,
            action: Some(kind),
            request_id,
            reply_to: None,
            service: None,
            headers: Headers::new(),
            timeout: None,
            accepts_batches: false,
            received: Instant::now(),
        }
    }

    fn new(channel: &Arc<str>, received: Instant, text: &Bytes, request: &Request<'_>) -> Self {
        let slice = |json: &RawValue| RawJson::slice_of(text, json);
        let owned = |text: &Option<Cow<'_, str>>| text.as_deref().map(str::to_owned);
        Self {
            channel: Arc::clone(channel),
            raw: RawJson::whole(text),
            payload: request.payload.as_ref().map(|payload| match payload {
                Cow::Borrowed(json) => slice(json),
                Cow::Owned(json) => RawJson::of_value(json),
            }),
            action: owned(&request.action),
            request_id: request.request_id.map(slice),
            reply_to: owned(&request.reply_to),
            service: owned(&request.service),
            headers: request.headers.clone(),
            timeout: request.timeout,
            accepts_batches: request.accepts.iter().any(|word| word == BATCH),
            received,
        }
    }

    /// Returns the address for replies on `channel`, which [`reply_channel`](Self::reply_channel) has returned.
    pub(crate) fn reply_address(&self, channel: String) -> ReplyAddress {
        ReplyAddress {
            channel,
            request_id: self.request_id.clone(),
            caller_deadline: self.caller_deadline(),
            batching: if self.accepts_batches { Batching::Allowed } else { Batching::Alone },
        }
    }

    /// When the caller stops waiting, if the request says so.
    pub(crate) fn caller_deadline(&self) -> Option<Instant> {
        self.received.checked_add(self.timeout?)
    }

    /// Returns the channel that a reply goes to, `own_name` being the service that answers; `None` if the request is one-way.
    ///
    /// # Errors
    ///
    /// Returns an error if the name that the request gives can't be a channel's.
    pub(crate) fn reply_channel(&self, own_name: &str) -> Result<Option<String>, NameError> {
        let (reply_to, service) = (self.reply_to.as_deref(), self.service.as_deref());
        let channel = reply_channel(reply_to, self.request_id.is_some(), service, own_name);
        channel.as_deref().map_or(Ok(()), Channel::check)?;
        Ok(channel)
    }
}
