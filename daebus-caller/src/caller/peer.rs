//! The service that a caller calls, and the connection it is reached over.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::directory::Directory;
use super::link::Link;
use crate::wire::{NameError, ServiceName};

/// A service on a bus.
#[derive(Clone)]
pub(super) struct Peer {
    pub(super) link: Link,
    /// Cancelled when the caller is closed. In an `Arc`, since a clone of a token takes its lock.
    pub(super) closing: Arc<CancellationToken>,
    target: Target,
}

/// The service's name. An invalid name is reported by the first call, so that `Caller::to` needs no `?`.
#[derive(Clone)]
enum Target {
    Valid(ServiceName, Arc<Directory>),
    Invalid(Arc<str>, NameError),
}

impl Peer {
    pub(super) fn new(link: Link, service: &str) -> Self {
        Self { target: Target::new(&link, service), link, closing: Arc::default() }
    }

    /// Another service over the same connection.
    pub(super) fn to(&self, service: &str) -> Self {
        Self { target: Target::new(&self.link, service), ..self.clone() }
    }

    /// The name as it was given.
    pub(super) fn name(&self) -> &str {
        match &self.target {
            Target::Valid(service, _) => service.as_str(),
            Target::Invalid(name, _) => name,
        }
    }

    pub(super) fn service(&self) -> Result<&ServiceName, NameError> {
        self.directory().map(|(service, _)| service)
    }

    /// Returns the service's name and the directory of its instances.
    pub(super) fn directory(&self) -> Result<(&ServiceName, &Arc<Directory>), NameError> {
        match &self.target {
            Target::Valid(service, directory) => Ok((service, directory)),
            Target::Invalid(_, error) => Err(error.clone()),
        }
    }
}

impl Target {
    fn new(link: &Link, name: &str) -> Self {
        match ServiceName::new(name) {
            Ok(service) => {
                let directory = link.directory(&service);
                Self::Valid(service, directory)
            }
            Err(error) => Self::Invalid(name.into(), error),
        }
    }
}
