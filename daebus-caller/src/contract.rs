//! What a service and its callers agree on: actions and events, by name and by type.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::wire::Fault;

/// An action that a contract or a blueprint offers.
pub trait Action {
    /// The name on the wire.
    const NAME: &'static str;
    /// What the caller sends.
    type Payload;
    /// What it gets back.
    type Answer;
    /// How the action fails.
    type Error;
    /// What it hears on the way.
    type Progress;
}

/// An event that a contract names: a channel and what is said on it.
pub trait Event {
    /// The channel.
    const CHANNEL: &'static str;
    /// What is published there.
    type Payload;
}

/// An error that a handler returns; `derive(Fault)` writes this.
///
/// `Box<dyn Error + Send + Sync>` and `anyhow::Error` (feature `anyhow` of `daebus`) count as `internal`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be the error of a handler",
    note = "derive it: #[derive(Debug, thiserror::Error, Serialize, Deserialize, Fault)]",
    note = "or return `BoxError`, which reaches the caller as `internal`"
)]
pub trait IntoFault {
    /// The error that a typed caller of this handler gets: `Self` with `derive(Fault)`, else [`Fault`].
    type Remote: FromFault;

    /// The error as it travels.
    fn into_fault(self) -> Fault;

    /// Why, when the fault doesn't say: an error that reaches the caller as `internal` in words for the log.
    fn inside(&self) -> Option<String> {
        None
    }
}

/// An error that a typed caller reads out of a reply.
pub trait FromFault: Sized + Send + 'static {
    /// The codes that are this error's own.
    const CODES: &'static [&'static str];

    /// Reads the error; gives the fault back when it isn't one of these, or its details don't read as one.
    ///
    /// # Errors
    ///
    /// The fault itself.
    fn from_fault(fault: Fault) -> Result<Self, Fault>;
}

impl IntoFault for Fault {
    type Remote = Self;

    fn into_fault(self) -> Self {
        self
    }
}

/// An untyped caller gets a reserved code as [`CallError::Fault`](crate::CallError::Fault), and all else as
/// [`CallError::Service`](crate::CallError::Service).
impl FromFault for Fault {
    const CODES: &'static [&'static str] = &[];

    fn from_fault(fault: Fault) -> Result<Self, Fault> {
        if fault.reserved_code().is_some() { Err(fault) } else { Ok(fault) }
    }
}

impl IntoFault for Box<dyn std::error::Error + Send + Sync> {
    type Remote = Fault;

    /// `internal`, except for a [`Fault`] in the box, which stays what it is.
    fn into_fault(self) -> Fault {
        match self.downcast::<Fault>() {
            Ok(fault) => *fault,
            Err(_) => Fault::internal(),
        }
    }

    fn inside(&self) -> Option<String> {
        if self.is::<Fault>() { None } else { Some(chain(&**self)) }
    }
}

/// A handler that can't fail.
impl IntoFault for std::convert::Infallible {
    type Remote = Fault;

    fn into_fault(self) -> Fault {
        match self {}
    }
}

/// An error and its sources in one line.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let words = error.to_string();
        // `#[error(transparent)]` and the like say the same thing at every level.
        if !line.ends_with(&words) {
            line.push_str(": ");
            line.push_str(&words);
        }
        source = error.source();
    }
    line
}

/// What `derive(Fault)` does with an error whose fault is not `internal`: code, sentence, details as serde writes them.
#[doc(hidden)]
pub fn fault_of<E: std::fmt::Display + Serialize>(error: &E, code: &'static str, status: u16) -> Fault {
    let details = serde_json::to_value(error).unwrap_or_default();
    Fault::new(code, error.to_string()).with_status(status).with_details(details)
}

/// The other way round: the error, when the code is one of its own and the details read as one.
#[doc(hidden)]
pub fn error_of<E: DeserializeOwned>(fault: Fault, codes: &[&str]) -> Result<E, Fault> {
    if !fault.code().is_some_and(|code| codes.contains(&code)) {
        return Err(fault);
    }
    serde_json::from_value(fault.details().clone()).map_err(|_| fault)
}
