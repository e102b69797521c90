use std::sync::Arc;
use std::time::Duration;

use daebus_caller::deadline::Deadline;
use daebus_caller::wire::{Headers, RawJson};

use super::Extract;
use crate::handler::context::Context;
use crate::handler::envelope::Envelope;
use crate::handler::failure::Failure;
use crate::handler::kind::HasMessage;

/// The envelope of the message that reached the handler.
#[derive(Debug, Clone)]
pub struct Request {
    envelope: Arc<Envelope>,
    deadline: Option<Deadline>,
}

impl Request {
    /// The request's id as the sender wrote it, whatever JSON it is. `None` for a one-way message or a broadcast.
    pub fn id(&self) -> Option<&RawJson> {
        self.envelope.request_id.as_ref()
    }

    /// The action asked for. `None` for a broadcast without one.
    pub fn action(&self) -> Option<&str> {
        self.envelope.action.as_deref()
    }

    /// The service the sender meant. `None` where it didn't say.
    pub fn service(&self) -> Option<&str> {
        self.envelope.service.as_deref()
    }

    /// Where the sender wants the reply.
    pub fn reply_to(&self) -> Option<&str> {
        self.envelope.reply_to.as_deref()
    }

    /// The channel the message arrived on.
    pub fn channel(&self) -> &str {
        &self.envelope.channel
    }

    /// The headers; empty where there are none.
    pub fn headers(&self) -> &Headers {
        &self.envelope.headers
    }

    /// How much time is left to answer.
    pub fn remaining(&self) -> Option<Duration> {
        self.deadline.map(Deadline::remaining)
    }

    /// The time by which the answer has to be there.
    pub fn deadline(&self) -> Option<Deadline> {
        self.deadline
    }

    /// The whole message as it came.
    pub fn raw(&self) -> &RawJson {
        &self.envelope.raw
    }
}

impl<K: HasMessage> Extract<K> for Request {
    async fn extract(cx: &mut Context) -> Result<Self, Failure> {
        let envelope =
            cx.message.clone().ok_or_else(|| Failure::internal("no message reached this handler"))?;
        Ok(Self { envelope, deadline: cx.deadline })
    }
}
