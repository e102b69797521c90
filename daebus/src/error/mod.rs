//! Errors of starting, running and stopping a service.

mod mistake;

use std::fmt;
use std::time::Duration;

use daebus_caller::contract::chain;
use daebus_caller::{BoxError, BusError, CallError, InstanceId, wire::NameError};

pub use mistake::Mistake;

/// The result of [`run`](crate::Daebus::run), [`start`](crate::Daebus::start) and [`stop`](crate::Service::stop).
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Errors of starting, running and stopping a service.
///
/// `Debug` prints the same text as `Display`, since Rust prints the `Debug` output of an error that `main` returns.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The name of the service is invalid.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The configuration of the application is invalid. Displays all mistakes, one per line.
    #[error("{service} can't start:\n{}", list(.mistakes))]
    Setup {
        /// The service.
        service: String,
        /// All mistakes that were found.
        mistakes: Vec<Mistake>,
    },
    /// The URL of the bus is invalid, or the bus refuses the connection or a subscription.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// The service was started by systemd, and no bus is configured.
    #[error(
        "{service} was started by systemd without a bus: no other process can reach an in-process bus. \
         Set DAEBUS_URL in the unit (Environment=DAEBUS_URL=redis://127.0.0.1:6379), or call .bus(url)"
    )]
    NoBus {
        /// The service.
        service: String,
    },
    /// An address can't be bound.
    #[error("can't serve {what} on {address}: {source}")]
    Bind {
        /// The protocol: `HTTP` or `WebSockets`.
        what: &'static str,
        /// The address.
        address: String,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// An `on_start` handler failed.
    #[error("{service} didn't start: {handler} failed: {reason}")]
    OnStart {
        /// The service.
        service: String,
        /// The handler and its position.
        handler: String,
        /// The error that the handler returned, or the message of its panic.
        reason: String,
    },
    /// A feature failed to start. The features that had started were stopped.
    #[error("{service} didn't start: the feature {feature} failed: {reason}")]
    Feature {
        /// The service.
        service: String,
        /// The type of the feature.
        feature: String,
        /// The error that the feature returned, or the message of its panic.
        reason: String,
    },
    /// The service was stopped by a signal while it was starting.
    #[error("{service} was stopped before it had started")]
    Interrupted {
        /// The service.
        service: String,
    },
    /// Handlers were still running at the end of the drain time, and were cut off.
    #[error("{service} stopped after {after:?} with handlers still running: {handlers}")]
    Drain {
        /// The service.
        service: String,
        /// The handlers that were cut off, with their numbers.
        handlers: String,
        /// The drain time.
        after: Duration,
    },
    /// Another process uses the configured id of this instance.
    #[error(
        "the instance id {id} of {service} is in use by process {pid} on host {host:?}; \
         give each process its own id"
    )]
    InstanceTaken {
        /// The service.
        service: String,
        /// The id.
        id: InstanceId,
        /// The host of the other process.
        host: String,
        /// The id of the other process.
        pid: u32,
    },
    /// The handlers for SIGINT and SIGTERM can't be installed.
    #[error("can't listen for signals: {0}")]
    Signal(#[source] std::io::Error),
    /// One of several services in a process failed to start.
    #[error("{service} can't start: {error}")]
    OneOfSeveral {
        /// The service.
        service: String,
        /// The error of the service.
        error: Box<Error>,
    },
    /// An error of the application, which `main` returns with `?`. Displayed with its sources.
    #[error("{}", chain(&**.0))]
    Other(BoxError),
}

impl Error {
    /// Adds the name of the service if the message doesn't contain it.
    pub(crate) fn of_service(self, service: String) -> Self {
        match self {
            Self::Name(_) | Self::Bus(_) | Self::Bind { .. } | Self::Signal(_) | Self::Other(_) => {
                Self::OneOfSeveral { service, error: Box::new(self) }
            }
            named => named,
        }
    }
}

impl From<BoxError> for Error {
    /// Returns the boxed error if it is an `Error`, and [`Error::Other`] otherwise.
    fn from(error: BoxError) -> Self {
        match error.downcast::<Self>() {
            Ok(error) => *error,
            Err(error) => Self::Other(error),
        }
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::Other(error.into())
    }
}

impl<E> From<CallError<E>> for Error
where
    CallError<E>: std::error::Error + Send + Sync + 'static,
{
    fn from(error: CallError<E>) -> Self {
        Self::Other(error.into())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn list(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
