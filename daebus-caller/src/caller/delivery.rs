//! Publishes a request until it has a receiver.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::sleep;
use uuid::Uuid;

use super::deadline::Deadline;
use super::link::Link;
use crate::backoff::Backoff;
use crate::error::{BusError, CallError};
use crate::wire::{Headers, RawJson, RequestWriter, ServiceName};

/// The delay before a request that had no receiver is published again. A call to a service that doesn't exist takes
/// about as long.
const FIRST_DELAY: Duration = Duration::from_millis(50);
/// The longest delay while services are reconnecting.
const MAX_DELAY: Duration = Duration::from_millis(500);

/// The delay before a bus that reported itself ready, but had no connection, is used again.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A request on its way to a service.
pub(super) struct Delivery<'a> {
    pub(super) link: &'a Link,
    pub(super) service: &'a ServiceName,
    pub(super) action: &'a str,
    pub(super) payload: &'a RawJson,
    pub(super) headers: &'a Headers,
    pub(super) request_id: Uuid,
    pub(super) deadline: Deadline,
}

/// Whether a request may have reached its service.
#[derive(Debug)]
pub(super) enum Published {
    /// It certainly has not.
    No,
    /// Its PUBLISH is under way.
    InFlight,
    /// The bus has confirmed it.
    Confirmed,
    /// The outcome of its PUBLISH will never be known.
    Unknown(BusError),
}

impl Delivery<'_> {
    /// Publishes the request and returns how many connections received it.
    ///
    /// 0 receivers prove that the request was not delivered, so it is published again: once, and with backoff while
    /// services may be reconnecting.
    pub(super) async fn deliver(&self, inbox: &str, published: &mut Published) -> Result<u64, CallError> {
        let counts_are_partial = self.link.bus().counts_are_partial();
        let audience = self.link.audience();
        let mut delays = Backoff::new(FIRST_DELAY, MAX_DELAY).without_jitter();
        let mut is_first = true;
        loop {
            let recovering = !counts_are_partial && audience.is_recovering();
            // Monitors would make the number of receivers positive, and the request would be lost on them.
            let receivers = if recovering && audience.is_empty(self.service).await {
                0
            } else {
                self.publish(inbox, published).await?
            };
            if receivers > 0 || counts_are_partial {
                *published = Published::Confirmed;
                return Ok(receivers);
            }
            *published = Published::No;
            let delay = delays.next_delay();
            // A delay that ends after the deadline would replace this error by a timeout, which says less.
            if !(is_first || recovering) || delay >= self.deadline.remaining() {
                return Err(CallError::NoService { service: self.service.to_string() });
            }
            is_first = false;
            sleep(delay).await;
        }
    }

    /// Publishes the request once, when the bus is there.
    async fn publish(&self, inbox: &str, published: &mut Published) -> Result<u64, BusError> {
        loop {
            *published = Published::InFlight;
            let remaining = self.deadline.remaining();
            let message = self.message(inbox, remaining);
            let error = match self.link.outbox().publish(self.service.as_str(), message, remaining).await {
                Ok(receivers) => return Ok(receivers),
                Err(error) => error,
            };
            *published = match &error {
                BusError::Unknown { .. } => Published::Unknown(error.clone()),
                _ => Published::No,
            };
            let BusError::Away { .. } = &error else { return Err(error) };
            if self.deadline.remaining() <= LOOK_AGAIN {
                return Err(error);
            }
            sleep(LOOK_AGAIN).await;
            self.link.ready(self.deadline).await?;
        }
    }

    fn message(&self, inbox: &str, remaining: Duration) -> Bytes {
        let request = RequestWriter {
            action: self.action,
            payload: self.payload,
            reply_to: Some(inbox),
            request_id: Some(&self.request_id.to_string()),
            service: self.service.as_str(),
            headers: self.headers,
            timeout: Some(remaining),
            accepts: &[],
        };
        request.write()
    }
}
