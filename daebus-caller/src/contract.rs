//! Contracts: the actions, events and errors that a service and its callers share, by name and by type.

use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::CallError;
use crate::wire::Fault;

/// An action of a contract or a blueprint.
pub trait Action {
    /// The name on the wire.
    const NAME: &'static str;
    /// The type of the request's payload.
    type Payload;
    /// The type of the answer.
    type Answer;
    /// The type of the action's own error.
    type Error;
    /// The type of progress updates.
    type Progress;
}

/// An event of a contract: a channel, and the type of the payload published on it.
///
/// A contract has a constant for each of its events. `#[listen(event = UsersCaller::USER_EVENT)]` and
/// `broadcast.send_event(UsersCaller::USER_EVENT, &event)` take the channel from it, and the compiler checks the type of the
/// payload.
pub struct Event<T> {
    channel: &'static str,
    payload: PhantomData<fn() -> T>,
}

impl<T> Event<T> {
    /// Creates the event that is published on `channel`. The channel's name is checked when it is used.
    pub const fn new(channel: &'static str) -> Self {
        Self { channel, payload: PhantomData }
    }

    /// Returns the channel.
    pub const fn channel(self) -> &'static str {
        self.channel
    }
}

impl<T> Clone for Event<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Event<T> {}

impl<T> fmt::Debug for Event<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Event").field(&self.channel).finish()
    }
}

/// An error that a handler returns. `derive(Fault)` implements this trait.
///
/// `Box<dyn Error + Send + Sync>` and `anyhow::Error` (feature `anyhow` of `daebus`) count as `internal`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be the error of a handler",
    note = "derive it: #[derive(Debug, thiserror::Error, Serialize, Deserialize, Fault)]",
    note = "or return `BoxError`, which reaches the caller as `internal`"
)]
pub trait IntoFault {
    /// The error that a typed caller of this handler receives: `Self` with `derive(Fault)`, else [`Fault`].
    type Remote: FromFault;

    /// Converts the error into the fault that is sent to the caller.
    fn into_fault(self) -> Fault;

    /// Returns the reason of an error that reaches the caller as `internal`: it is logged, not sent.
    fn internal_reason(&self) -> Option<String> {
        None
    }
}

/// An error that a typed caller reads from an error reply.
pub trait FromFault: Sized + Send + 'static {
    /// The fault codes that belong to this error.
    const CODES: &'static [&'static str];

    /// Converts a fault into this error.
    ///
    /// # Errors
    ///
    /// Returns the fault unchanged if its code is not one of [`CODES`](Self::CODES) or its details can't be deserialized.
    fn from_fault(fault: Fault) -> Result<Self, Fault>;
}

impl IntoFault for Fault {
    type Remote = Self;

    fn into_fault(self) -> Self {
        self
    }
}

/// An untyped caller receives a reserved code as [`CallError::Fault`](crate::CallError::Fault), and any other code as
/// [`CallError::Service`](crate::CallError::Service).
impl FromFault for Fault {
    const CODES: &'static [&'static str] = &[];

    fn from_fault(fault: Fault) -> Result<Self, Fault> {
        if fault.reserved_code().is_some() { Err(fault) } else { Ok(fault) }
    }
}

impl IntoFault for Box<dyn std::error::Error + Send + Sync> {
    type Remote = Fault;

    /// Returns the [`Fault`] in the box if there is one, else `internal`.
    fn into_fault(self) -> Fault {
        match self.downcast::<Fault>() {
            Ok(fault) => *fault,
            Err(_) => Fault::internal(),
        }
    }

    fn internal_reason(&self) -> Option<String> {
        if self.is::<Fault>() { None } else { Some(chain(&**self)) }
    }
}

/// The error of a called service as the error of the handler that made the call.
///
/// [`CallError::Service`] stays what it is: its code, status and details reach the caller of the handler. Every other error
/// of a call is `internal`, and the log has the reason.
impl<E: IntoFault + fmt::Display> IntoFault for CallError<E> {
    type Remote = E::Remote;

    fn into_fault(self) -> Fault {
        match self {
            Self::Service(error) => error.into_fault(),
            _ => Fault::internal(),
        }
    }

    fn internal_reason(&self) -> Option<String> {
        match self {
            Self::Service(error) => error.internal_reason(),
            error => Some(error.to_string()),
        }
    }
}

/// For a variant with `#[fault(transparent)]`: the error of the called service.
impl<E: FromFault> FromFault for CallError<E> {
    const CODES: &'static [&'static str] = E::CODES;

    fn from_fault(fault: Fault) -> Result<Self, Fault> {
        E::from_fault(fault).map(Self::Service)
    }
}

/// For handlers that can't fail.
impl IntoFault for std::convert::Infallible {
    type Remote = Fault;

    fn into_fault(self) -> Fault {
        match self {}
    }
}

/// Formats an error and its sources in one line.
#[doc(hidden)]
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let words = error.to_string();
        // `#[error(transparent)]` repeats the message of its source.
        if !line.ends_with(&words) {
            line.push_str(": ");
            line.push_str(&words);
        }
        source = error.source();
    }
    line
}

/// Makes the fault of an error that derives `Fault`: code, message, and the error's fields as details.
#[doc(hidden)]
pub fn fault_of<E: std::fmt::Display + Serialize>(error: &E, code: &'static str, status: u16) -> Fault {
    let details = serde_json::to_value(error).unwrap_or_default();
    Fault::new(code, error.to_string()).with_status(status).with_details(details)
}

/// Reads an error that derives `Fault` from a fault.
#[doc(hidden)]
pub fn error_of<E: DeserializeOwned>(fault: Fault, codes: &[&str]) -> Result<E, Fault> {
    if !fault.code().is_some_and(|code| codes.contains(&code)) {
        return Err(fault);
    }
    serde_json::from_value(fault.details().clone()).map_err(|_| fault)
}
