//! A message and what its envelope says, owned.

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use daebus_caller::bus::{Batching, Message};
use daebus_caller::wire::{
    Channel, Credit, Headers, NameError, RawJson, ReadError, Request, read_message, reply_channel,
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
    pub(crate) action: Option<Text>,
    pub(crate) request_id: Option<RawJson>,
    pub(crate) reply_to: Option<Arc<str>>,
    pub(crate) service: Option<Text>,
    pub(crate) headers: Headers,
    pub(crate) timeout: Option<Duration>,
    /// Whether the inbox for the reply accepts batches.
    pub(crate) accepts_batches: bool,
    /// The credit for the service's stream, if the request opens a session.
    pub(crate) session: Option<Credit>,
    pub(crate) received: Instant,
}

/// Text of a message, usually a slice of it.
#[derive(Debug, Clone)]
pub(crate) struct Text(Bytes);

impl Text {
    /// Takes `text` out of `message` without copying it, unless it was written with escapes.
    fn of(message: &Bytes, text: Cow<'_, str>) -> Self {
        match text {
            Cow::Borrowed(text) => Self(message.slice_ref(text.as_bytes())),
            Cow::Owned(text) => Self(text.into()),
        }
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        // Only made from text.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
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
            action: Some(Text(kind.into())),
            request_id,
            reply_to: None,
            service: None,
            headers: Headers::new(),
            timeout: None,
            accepts_batches: false,
            session: None,
            received: Instant::now(),
        }
    }

    fn new(channel: &Arc<str>, received: Instant, text: &Bytes, request: &Request<'_>) -> Self {
        let slice = |json: &RawValue| RawJson::slice_of(text, json);
        let part = |part: &Option<Cow<'_, str>>| part.clone().map(|part| Text::of(text, part));
        Self {
            channel: Arc::clone(channel),
            raw: RawJson::whole(text),
            payload: request.payload.as_ref().map(|payload| match payload {
                Cow::Borrowed(json) => slice(json),
                Cow::Owned(json) => RawJson::of_value(json),
            }),
            action: part(&request.action),
            request_id: request.request_id.map(slice),
            reply_to: request.reply_to.as_deref().map(Arc::from),
            service: part(&request.service),
            headers: request.headers.clone(),
            timeout: request.timeout,
            accepts_batches: request.accepts_batches,
            session: request.session,
            received,
        }
    }

    /// Returns the address for replies on `channel`, which [`reply_channel`](Self::reply_channel) has returned.
    pub(crate) fn reply_address(&self, channel: Arc<str>) -> ReplyAddress {
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
    pub(crate) fn reply_channel(&self, own_name: &str) -> Result<Option<Arc<str>>, NameError> {
        let of_service = || {
            let service = self.service.as_deref();
            reply_channel(None, self.request_id.is_some(), service, own_name).map(Arc::from)
        };
        let channel = self.reply_to.clone().or_else(of_service);
        channel.as_deref().map_or(Ok(()), Channel::check)?;
        Ok(channel)
    }
}
