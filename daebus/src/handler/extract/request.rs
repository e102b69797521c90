use std::sync::Arc;
use std::time::Duration;

use daebus_caller::deadline::Deadline;
use daebus_caller::wire::{Headers, RawJson};

use super::Extract;
use crate::handler::context::Context;
use crate::handler::envelope::Envelope;
use crate::handler::failure::Failure;
use crate::handler::kind::HasMessage;

/// The envelope of the message that the handler handles. An argument of actions and listeners.
///
/// ```
/// use daebus::prelude::*;
///
/// #[listen("sensor.*")]
/// async fn on_sensor(request: Request, Payload(value): Payload<f64>) {
///     println!("{}: {value}", request.channel());
/// }
/// # let _ = blueprint_of!["sensors"; on_sensor];
/// ```
#[derive(Debug, Clone)]
pub struct Request {
    envelope: Arc<Envelope>,
    deadline: Option<Deadline>,
}

impl Request {
    /// Returns the ID of the request, which may be any JSON value. `None` for a one-way message or a broadcast.
    pub fn id(&self) -> Option<&RawJson> {
        self.envelope.request_id.as_ref()
    }

    /// Returns the requested action. `None` for a broadcast without one.
    pub fn action(&self) -> Option<&str> {
        self.envelope.action.as_deref()
    }

    /// Returns the service to which the sender addressed the message. `None` if the message doesn't contain it.
    pub fn service(&self) -> Option<&str> {
        self.envelope.service.as_deref()
    }

    /// Returns the channel to which the sender requests the reply.
    pub fn reply_to(&self) -> Option<&str> {
        self.envelope.reply_to.as_deref()
    }

    /// Returns the channel on which the message arrived.
    pub fn channel(&self) -> &str {
        &self.envelope.channel
    }

    /// Returns the headers. Empty if there are none.
    pub fn headers(&self) -> &Headers {
        &self.envelope.headers
    }

    /// Returns the time until the deadline.
    pub fn remaining(&self) -> Option<Duration> {
        self.deadline.map(Deadline::remaining)
    }

    /// Returns the deadline of the request: the earlier one of the caller's and the handler's. `None` if there is none.
    pub fn deadline(&self) -> Option<Deadline> {
        self.deadline
    }

    /// Returns the whole message as received.
    pub fn raw(&self) -> &RawJson {
        &self.envelope.raw
    }
}

impl<K: HasMessage> Extract<K> for Request {
    async fn extract(cx: &mut Context) -> Result<Self, Failure> {
        let envelope = cx
            .message
            .clone()
            .ok_or_else(|| Failure::internal("this handler has no message, so it has no `Request`"))?;
        Ok(Self { envelope, deadline: cx.deadline })
    }
}
