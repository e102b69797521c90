//! Why a handler has no answer.

use std::fmt;

use daebus_caller::BoxError;
use daebus_caller::wire::Fault;

/// Why a handler has no answer: what the peer is told, and what only the log is told.
#[derive(Debug)]
pub struct Failure {
    fault: Fault,
    inside: Option<String>,
}

impl Failure {
    /// Tells the peer `internal`, and the log the reason.
    pub fn internal(reason: impl Into<String>) -> Self {
        Self { fault: Fault::internal(), inside: Some(reason.into()) }
    }

    /// Tells the peer `fault`, and the log `inside` if there is more to say.
    pub fn new(fault: Fault, inside: Option<String>) -> Self {
        Self { fault, inside }
    }

    /// What the peer is told.
    pub fn fault(&self) -> &Fault {
        &self.fault
    }

    /// What only the log is told.
    pub fn inside(&self) -> Option<&str> {
        self.inside.as_deref()
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self { fault, inside: None }
    }
}

impl From<BoxError> for Failure {
    /// A failure or a fault in the box stays what it is; all else is `internal`.
    fn from(error: BoxError) -> Self {
        use daebus_caller::contract::IntoFault;
        match error.downcast::<Self>() {
            Ok(failure) => *failure,
            Err(error) => {
                let inside = error.inside();
                Self { fault: error.into_fault(), inside }
            }
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.inside.as_deref().unwrap_or(self.fault.error()))
    }
}

impl std::error::Error for Failure {}
