//! Publishes a request until it has a receiver.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::time::sleep;

use super::directory::member::Member;
use super::request::OutgoingRequest;
use crate::backoff::Backoff;
use crate::bus::{Batching, Place, STALE_STATE};
use crate::error::{BusError, CallError};
use crate::wire::{BATCH, RequestWriter};

/// The delay before a request that had no receiver is published again. A call to a service that doesn't exist takes
/// about as long.
const FIRST_DELAY: Duration = Duration::from_millis(50);
/// The longest delay while services are reconnecting.
const MAX_DELAY: Duration = Duration::from_millis(500);

/// A request on its way to a service.
pub(super) struct Delivery<'a> {
    pub(super) request: &'a OutgoingRequest,
    /// The instance it is sent to; `None` for the service's own channel.
    pub(super) instance: Option<&'a Arc<Member>>,
    /// The number of its id.
    pub(super) number: u64,
}

/// Whether a request may have reached its service.
#[derive(Debug)]
pub(super) enum Published {
    /// It certainly has not.
    No,
    /// It certainly has not, because other publishes take all the places.
    Waiting,
    /// Its PUBLISH is under way.
    InFlight,
    /// The bus has confirmed it.
    Confirmed,
    /// The outcome of its PUBLISH will never be known.
    Unknown(Box<BusError>),
}

impl Delivery<'_> {
    /// Publishes the request and returns how many connections received it.
    ///
    /// 0 receivers prove that the request was not delivered. On the service's own channel it is then published again: once,
    /// and with backoff while services may be reconnecting or an instance's info exists. The first PUBLISH takes the
    /// `place`.
    ///
    /// Boxed, because it ends long before the answer arrives.
    pub(super) fn deliver<'a>(
        &'a self,
        inbox: &'a str,
        place: Option<Place<'a>>,
        published: &'a mut Published,
    ) -> BoxFuture<'a, Result<u64, CallError>> {
        Box::pin(self.deliver_in(inbox, place, published))
    }

    async fn deliver_in(
        &self,
        inbox: &str,
        mut place: Option<Place<'_>>,
        published: &mut Published,
    ) -> Result<u64, CallError> {
        let OutgoingRequest { link, directory, .. } = self.request;
        let channel = channel(self.request, self.instance);
        let counts_are_partial = link.bus().counts_are_partial();
        let audience = link.audience();
        let mut delays = Backoff::new(FIRST_DELAY, MAX_DELAY).without_jitter();
        let mut is_first = true;
        loop {
            let recovering = !counts_are_partial && audience.is_recovering();
            if recovering {
                // A query comes first, and a place must not be kept waiting.
                place = None;
            }
            // Monitors would make the number of receivers positive, and the request would be lost on them.
            let receivers = if recovering && Box::pin(audience.is_empty(channel)).await {
                0
            } else {
                self.publish(inbox, place.take(), published).await?
            };
            if receivers > 0 || counts_are_partial {
                *published = Published::Confirmed;
                return Ok(receivers);
            }
            *published = Published::No;
            // Another instance can be tried at once.
            if self.instance.is_some() {
                return Err(self.request.no_service());
            }
            let delay = delays.next_delay();
            let again = is_first || recovering || Box::pin(directory.has_instances()).await;
            // A delay that ends after the deadline would replace this error by a timeout, which says less.
            if !again || delay >= self.request.deadline.remaining() {
                return Err(self.request.no_service());
            }
            is_first = false;
            sleep(delay).await;
        }
    }

    /// Publishes the request once, when the bus is ready.
    async fn publish(
        &self,
        inbox: &str,
        mut place: Option<Place<'_>>,
        published: &mut Published,
    ) -> Result<u64, BusError> {
        let link = &self.request.link;
        let channel = channel(self.request, self.instance);
        // Only instances accept batches; other services may be subscribed to the service's own channel.
        let batching = self.instance.map_or(Batching::Alone, |_| Batching::Allowed);
        loop {
            *published = Published::InFlight;
            let remaining = self.request.deadline.remaining();
            let message = self.message(inbox, remaining);
            let outcome = match place.take() {
                Some(place) => place.publish(channel, message, batching).await,
                // Boxed: the first PUBLISH has a place, and most requests need no other.
                None => Box::pin(link.outbox().publish(channel, message, remaining)).await,
            };
            let error = match outcome {
                Ok(receivers) => return Ok(receivers),
                Err(error) => error,
            };
            *published = match &error {
                BusError::Unknown { .. } => Published::Unknown(Box::new(error.clone())),
                _ => Published::No,
            };
            let BusError::Away { .. } = &error else { return Err(error) };
            if self.request.deadline.remaining() <= STALE_STATE {
                return Err(error);
            }
            sleep(STALE_STATE).await;
            Box::pin(link.ready(self.request.deadline)).await?;
        }
    }

    fn message(&self, inbox: &str, remaining: Duration) -> Bytes {
        let request_id = self.request.link.pending().id(self.number);
        let request = RequestWriter {
            action: &self.request.action,
            payload: &self.request.payload,
            reply_to: Some(inbox),
            request_id: Some(request_id.as_str()),
            service: self.request.service.as_str(),
            headers: &self.request.headers,
            timeout: Some(remaining),
            accepts: &[BATCH],
        };
        request.write()
    }
}

/// Returns the channel of an instance, or of the request's service.
pub(super) fn channel<'a>(request: &'a OutgoingRequest, instance: Option<&'a Arc<Member>>) -> &'a str {
    instance.map_or_else(|| request.service.as_str(), |instance| &instance.channel)
}
