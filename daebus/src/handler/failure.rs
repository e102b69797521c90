//! Why a handler has no answer.

use std::fmt;

use daebus_caller::BoxError;
use daebus_caller::wire::Fault;

/// Why a handler has no answer: what the peer is told, and what only the log is told.
#[derive(Debug)]
pub struct Failure {
    fault: Fault,
    internal_reason: Option<String>,
}

impl Failure {
    /// Tells the peer `internal`, and the log the reason.
    pub fn internal(reason: impl Into<String>) -> Self {
        Self { fault: Fault::internal(), internal_reason: Some(reason.into()) }
    }

    /// Sends `fault` to the peer, and logs `internal_reason` if there is one.
    pub fn new(fault: Fault, internal_reason: Option<String>) -> Self {
        Self { fault, internal_reason }
    }

    /// What the peer is told.
    pub fn fault(&self) -> &Fault {
        &self.fault
    }

    /// Returns the reason that is logged and not sent to the peer.
    pub fn internal_reason(&self) -> Option<&str> {
        self.internal_reason.as_deref()
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self { fault, internal_reason: None }
    }
}

impl From<BoxError> for Failure {
    /// A failure or a fault in the box stays what it is; all else is `internal`.
    fn from(error: BoxError) -> Self {
        use daebus_caller::contract::IntoFault;
        match error.downcast::<Self>() {
            Ok(failure) => *failure,
            Err(error) => {
                let internal_reason = error.internal_reason();
                Self { fault: error.into_fault(), internal_reason }
            }
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.internal_reason.as_deref().unwrap_or(self.fault.error()))
    }
}

impl std::error::Error for Failure {}
