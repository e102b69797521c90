//! One bus, one way out, and one inbox, shared by all callers made from one another.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::Instant;
use uuid::Uuid;

use super::audience::Audience;
use super::cancels::Cancels;
use super::deadline::Deadline;
use super::directory::{Directories, Directory};
use super::pending::{Inbox, Pending};
use super::request_id::RequestId;
use crate::backoff::Backoff;
use crate::bus::{Bus, BusState, Outbox, STALE_STATE, Subscription, Topic};
use crate::error::BusError;
use crate::wire::ServiceName;

/// The longest delay before a bus that has just gone away is used again.
const MAX_DELAY: Duration = Duration::from_millis(500);

/// What callers share: a service has one, and so has each family of callers that was `connect`ed.
#[derive(Debug, Clone)]
pub struct Link(Arc<LinkState>);

#[derive(Debug)]
struct LinkState {
    outbox: Outbox,
    inbox: Arc<str>,
    pending: Arc<Pending>,
    audience: Audience,
    cancels: Cancels,
    /// Made at the first call, so that whoever never calls has no inbox. The bus restores it after a reconnect.
    subscription: OnceCell<Subscription>,
    directories: Directories,
}

impl Link {
    /// A link on a bus. Nothing is subscribed until the first call.
    pub fn new(bus: Arc<dyn Bus>) -> Self {
        Self(Arc::new(LinkState {
            audience: Audience::new(Arc::clone(&bus)),
            outbox: Outbox::new(bus),
            inbox: format!("caller:{}", Uuid::new_v4()).into(),
            pending: Arc::default(),
            cancels: Cancels::new(),
            subscription: OnceCell::new(),
            directories: Directories::default(),
        }))
    }

    /// The bus.
    pub fn bus(&self) -> &Arc<dyn Bus> {
        self.0.outbox.bus()
    }

    /// The way out.
    pub fn outbox(&self) -> &Outbox {
        &self.0.outbox
    }

    /// Returns how many connections are subscribed to the service's channel. The answer is that of a query which was sent at
    /// `since` or later, and which concurrent calls of this method share.
    pub async fn subscribers(&self, service: &ServiceName, since: Instant) -> Result<u64, BusError> {
        self.0.audience.subscribers(service.as_str(), since).await.map(|count| count.value)
    }

    pub(super) fn audience(&self) -> &Audience {
        &self.0.audience
    }

    /// Returns the directory of a service's instances.
    pub(super) fn directory(&self, service: &ServiceName) -> Arc<Directory> {
        self.0.directories.of(service, self.bus(), &self.0.pending)
    }

    pub(super) fn pending(&self) -> &Pending {
        &self.0.pending
    }

    /// Returns the channel for replies. The bus has confirmed its subscription.
    ///
    /// Waits until the deadline for a bus that is away, or that goes away while it subscribes.
    pub(super) async fn inbox(&self, deadline: Deadline) -> Result<&str, BusError> {
        let subscribe = || {
            let receiver = Arc::new(Inbox { pending: self.0.pending.clone(), bus_state: self.bus().state() });
            self.bus().subscribe(Topic::Channel(self.0.inbox.clone()), receiver)
        };
        let subscribed = async {
            let mut delays = Backoff::new(STALE_STATE, MAX_DELAY);
            loop {
                // Even with the inbox subscribed, a request must not go out while the bus is restoring it.
                self.ready(deadline).await?;
                match self.0.subscription.get_or_try_init(subscribe).await {
                    Ok(_) => return Ok(&*self.0.inbox),
                    // The state may still be ready for a moment.
                    Err(BusError::Away { .. }) => tokio::time::sleep(delays.next_delay()).await,
                    Err(error) => return Err(error),
                }
            }
        };
        let outcome = tokio::time::timeout_at(deadline.instant(), subscribed).await;
        outcome.unwrap_or_else(|_| Err(self.away()))
    }

    /// Returns the channel for replies if that needs no wait.
    pub(super) fn confirmed_inbox(&self) -> Option<&str> {
        let is_ready = self.0.subscription.initialized() && self.bus().current_state() == BusState::Ready;
        is_ready.then_some(&*self.0.inbox)
    }

    /// Waits for the bus, no longer than until the deadline.
    pub(super) async fn ready(&self, deadline: Deadline) -> Result<(), BusError> {
        let mut state = self.bus().state();
        let settled = state.wait_for(|state| *state != BusState::Away);
        match tokio::time::timeout_at(deadline.instant(), settled).await {
            Ok(Ok(state)) if *state == BusState::Ready => Ok(()),
            Ok(_) => Err(BusError::Closed),
            Err(_) => Err(self.away()),
        }
    }

    fn away(&self) -> BusError {
        BusError::Away { location: self.bus().location() }
    }

    /// Returns when the bus was closed, by whomever.
    pub(super) async fn closed(&self) {
        // An error means that the bus itself is gone.
        let _ = self.bus().state().wait_for(|state| *state == BusState::Closed).await;
    }

    /// Notifies the service that a call has ended without its answer. Doesn't wait. The `$cancel` follows the request on the
    /// same connection, unless the bus has reconnected in between.
    pub(super) fn cancel(&self, channel: &str, service: &str, request_id: RequestId) {
        self.0.cancels.push(&self.0.outbox, &self.0.inbox, (channel, service), request_id);
    }
}
