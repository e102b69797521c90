//! An instance id that another process uses.

use std::fmt;

use daebus_caller::{Instance, InstanceId};

use crate::error::Error;

/// An instance id that another process uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    id: InstanceId,
    host: String,
    pid: u32,
}

impl Taken {
    /// `holder` is the info of the other process, if it could be read.
    pub(super) fn new(id: InstanceId, holder: Option<Instance>) -> Self {
        let (host, pid) = holder.map(|holder| (holder.host, holder.pid)).unwrap_or_default();
        Self { id, host, pid }
    }
}

impl Taken {
    /// Returns the error of the service that is configured with this id.
    pub(crate) fn into_error(self, service: &str) -> Error {
        let Self { id, host, pid } = self;
        Error::InstanceTaken { service: service.to_owned(), id, host, pid }
    }
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, host, pid } = self;
        write!(f, "the instance id {id} is in use by process {pid} on host {host:?}")
    }
}
