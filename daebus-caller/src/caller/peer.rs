//! The service that a caller calls, and the connection it is reached over.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::link::Link;
use crate::wire::{NameError, ServiceName};

/// A service on a bus.
#[derive(Clone)]
pub(super) struct Peer {
    pub(super) link: Link,
    /// Cancelled when the caller is closed.
    pub(super) closing: CancellationToken,
    target: Target,
}

/// The service's name. An invalid name is reported by the first call, so that `Caller::to` needs no `?`.
#[derive(Clone)]
enum Target {
    Valid(ServiceName),
    Invalid(Arc<str>, NameError),
}

impl Peer {
    pub(super) fn new(link: Link, service: &str) -> Self {
        Self { link, closing: CancellationToken::new(), target: Target::new(service) }
    }

    /// Another service over the same connection.
    pub(super) fn to(&self, service: &str) -> Self {
        Self { target: Target::new(service), ..self.clone() }
    }

    /// The name as it was given.
    pub(super) fn name(&self) -> &str {
        match &self.target {
            Target::Valid(service) => service.as_str(),
            Target::Invalid(name, _) => name,
        }
    }

    pub(super) fn service(&self) -> Result<&ServiceName, NameError> {
        match &self.target {
            Target::Valid(service) => Ok(service),
            Target::Invalid(_, error) => Err(error.clone()),
        }
    }
}

impl Target {
    fn new(name: &str) -> Self {
        ServiceName::new(name).map_or_else(|error| Self::Invalid(name.into(), error), Self::Valid)
    }
}
