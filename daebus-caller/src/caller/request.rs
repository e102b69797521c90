//! The request of a call, the same for all attempts.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::balance::Choice;
use super::deadline::{self, Deadline};
use super::directory::Directory;
use super::link::Link;
use super::peer::Peer;
use crate::error::{BusError, CallError};
use crate::wire::{Headers, RawJson, ServiceName};

/// The outcome of an attempt: the answer, undecoded.
pub(super) type RawAnswer = Result<Option<RawJson>, CallError>;

/// The request of a call, the same for all attempts.
#[derive(Debug, Clone)]
pub(super) struct OutgoingRequest {
    pub(super) link: Link,
    /// Cancelled when the caller is closed.
    pub(super) closing: Arc<CancellationToken>,
    pub(super) directory: Arc<Directory>,
    pub(super) service: ServiceName,
    pub(super) action: String,
    pub(super) payload: RawJson,
    pub(super) headers: Headers,
    /// Which instance it is sent to.
    pub(super) choice: Choice,
    /// Whether running the action twice is harmless.
    pub(super) idempotent: bool,
    /// The end of all attempts together.
    pub(super) deadline: Deadline,
    /// The time for all attempts together; reported when it has passed.
    pub(super) budget: Duration,
}

impl OutgoingRequest {
    /// Prepares a request; its name and its payload are checked here, once for all attempts.
    pub(super) fn new(
        peer: Peer,
        action: String,
        payload: Result<RawJson, serde_json::Error>,
        headers: Headers,
        budget: Duration,
    ) -> Result<Self, CallError> {
        let (service, directory) = peer.directory().map_err(BusError::Name)?;
        let (service, directory) = (service.clone(), Arc::clone(directory));
        let deadline = Deadline::after(budget);
        match payload {
            Ok(payload) => {
                let Peer { link, closing, .. } = peer;
                let (choice, idempotent) = (Choice::default(), false);
                let request = Self {
                    link,
                    closing,
                    directory,
                    service,
                    action,
                    payload,
                    headers,
                    choice,
                    idempotent,
                    deadline,
                    budget,
                };
                Ok(request)
            }
            Err(source) => Err(CallError::Encode { service: service.to_string(), action, source }),
        }
    }

    /// Starts the budget, which ends no later than the deadlines of the surrounding handlers: the one in which the call was
    /// made, and the one in which it is awaited.
    pub(super) fn start(&mut self, surrounding: Option<Deadline>) {
        let budget = Deadline::after(self.budget);
        self.deadline = [surrounding, deadline::current()].into_iter().flatten().fold(budget, Deadline::min);
        if self.deadline != budget {
            // Otherwise the error names the configured timeout, not the remaining part of it.
            self.budget = self.deadline.remaining();
        }
    }

    /// The error of a request that nothing received.
    pub(super) fn no_service(&self) -> CallError {
        CallError::NoService { service: self.service.to_string() }
    }

    /// The error of a call whose time is over.
    pub(super) fn too_late(&self) -> CallError {
        CallError::Timeout {
            service: self.service.to_string(),
            action: self.action.clone(),
            after: self.budget,
        }
    }
}
