//! What can go wrong on the bus and in a call.

use std::time::Duration;

use crate::wire::{Fault, NameError, PayloadError};

/// What went wrong between us and the bus.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum BusError {
    /// The URL of the bus can't be used.
    #[error("the bus URL {url:?} can't be used: {reason}")]
    Url {
        /// The URL, its password masked.
        url: String,
        /// What is wrong and what to write instead.
        reason: String,
    },
    /// A channel's or service's name breaks the protocol's rules.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The value can't be written as JSON.
    #[error("the message for {channel:?} can't be written as JSON: {reason}")]
    Encode {
        /// Where it was to go.
        channel: String,
        /// What serde says.
        reason: String,
    },
    /// Nothing was sent: the bus is not connected.
    #[error("the bus at {location} is away, nothing was sent; it reconnects by itself")]
    Away {
        /// The bus, its password masked.
        location: String,
    },
    /// Nothing was sent: too much is waiting to be sent already.
    #[error("too many messages wait to be sent to the bus at {location}; nothing was sent")]
    Full {
        /// The bus, its password masked.
        location: String,
    },
    /// A final reply is not repeated, although it may have no receiver: the replies that wait for a receiver take all the room.
    #[error("no receiver is known to have the reply to {inbox:?}, and it is not repeated: {reason}")]
    ReplyDropped {
        /// The inbox of the caller.
        inbox: String,
        /// Which limit is reached.
        reason: String,
    },
    /// The connection broke or the server was silent after something was sent: it may or may not have arrived.
    #[error("no answer from the bus at {location}, so the message may or may not have arrived: {reason}")]
    Unknown {
        /// The bus, its password masked.
        location: String,
        /// What the driver says.
        reason: String,
    },
    /// The server answered with an error.
    #[error("the bus at {location} refused: {reason}")]
    Refused {
        /// The bus, its password masked.
        location: String,
        /// The server's words, and what to do about it if that is known.
        reason: String,
    },
    /// [`blocking`](https://docs.rs/daebus-caller) verbs can't be used here; nothing was sent.
    #[error("the blocking caller can't be used: {reason}")]
    Blocking {
        /// Why not, and what to use instead.
        reason: String,
    },
    /// The bus was closed, by us.
    #[error("the bus is closed")]
    Closed,
}

impl BusError {
    #[doc(hidden)]
    pub fn encode(channel: &str, error: &serde_json::Error) -> Self {
        Self::Encode { channel: channel.to_owned(), reason: error.to_string() }
    }

    /// Whether nothing was sent for sure, so that trying again can't do a thing twice.
    pub fn is_not_sent(&self) -> bool {
        !matches!(self, Self::Unknown { .. } | Self::ReplyDropped { .. })
    }
}

/// Why a call has no answer. `E` is the error of the action that was called.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError<E = Fault> {
    /// The handler's own error. Untyped callers get the [`Fault`] itself.
    #[error("{0}")]
    Service(E),
    /// Any other error reply: `unknown_action`, `internal`, `overloaded`, …
    #[error("{0}")]
    Fault(Fault),
    /// No service is subscribed to the channel, so the request was not delivered. Reported within 100 ms; for 10 s
    /// after the bus has reconnected, the call first waits for the service within its timeout.
    #[error("no service {service:?} is on the bus: is it running, on this bus, and under this name?")]
    NoService {
        /// The service that was called.
        service: String,
    },
    /// No answer within the timeout. The action may have run.
    #[error("{service}.{action} did not answer within {after:?}")]
    Timeout {
        /// The service that was called.
        service: String,
        /// The action that was called.
        action: String,
        /// How long the caller waited.
        after: Duration,
    },
    /// The instance left or died with the call in flight, which it may or may not have run, or a named instance
    /// ([`Call::on_instance`](crate::Call::on_instance)) doesn't exist.
    ///
    /// Reported within 1 s if the instance left, and within 25 s if its process was killed. Calls of `idempotent` actions are
    /// sent to another instance instead.
    #[error("the instance {instance} is gone")]
    InstanceLost {
        /// The instance.
        instance: String,
    },
    /// The bus failed.
    ///
    /// [`BusError::Unknown`] means that the outcome of the request's PUBLISH is unknown and that no answer arrived within
    /// the timeout: the action may have run. After any other error it has not.
    #[error(transparent)]
    Bus(BusError),
    /// The answer doesn't fit the type that was asked for.
    #[error("the answer of {service}.{action} can't be read: {source}")]
    Decode {
        /// The service that answered.
        service: String,
        /// The action that answered.
        action: String,
        /// The field and the reason.
        source: PayloadError,
    },
    /// The request's payload can't be written as JSON; nothing was sent.
    #[error("the payload for {service}.{action} can't be written as JSON: {source}")]
    Encode {
        /// The service that was to be called.
        service: String,
        /// The action that was to be called.
        action: String,
        /// What serde reports.
        source: serde_json::Error,
    },
    /// Fewer instances than expected were alive within the time given to
    /// [`Caller::wait_for`](crate::Caller::wait_for).
    #[error("{found} of {wanted} instances of {service:?} are alive after {after:?}")]
    TooFewInstances {
        /// The service.
        service: String,
        /// The number of instances that were waited for.
        wanted: usize,
        /// The number of instances that are alive and not draining.
        found: usize,
        /// How long the caller waited.
        after: Duration,
    },
    /// The caller was closed.
    #[error("the caller is closed")]
    Closed,
}

impl<E> From<BusError> for CallError<E> {
    fn from(error: BusError) -> Self {
        match error {
            BusError::Closed => Self::Closed,
            error => Self::Bus(error),
        }
    }
}

impl<E> CallError<E> {
    /// Returns whether the action certainly did not run, so that a repeated call can't run it twice.
    ///
    /// A fault counts only if the service marked its reply as refused ([`Fault::is_refused`]), whatever its code.
    pub fn is_not_run(&self) -> bool {
        match self {
            Self::Fault(fault) => fault.is_refused(),
            Self::NoService { .. } | Self::Encode { .. } => true,
            Self::Bus(error) => error.is_not_sent(),
            _ => false,
        }
    }
}
