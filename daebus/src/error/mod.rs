//! Why a service doesn't start, or doesn't end well.

mod mistake;

use std::fmt;
use std::time::Duration;

use daebus_caller::contract::chain;
use daebus_caller::{BoxError, BusError, CallError, InstanceId, wire::NameError};

pub use mistake::Mistake;

/// What [`run`](crate::Daebus::run), [`start`](crate::Daebus::start) and [`stop`](crate::Service::stop) return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a service doesn't start, or doesn't end well.
///
/// `{:?}` prints the same words as `{}`: that is what a person sees when `main` returns it.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The service's name breaks the protocol's rules.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The application can't be put together; every mistake that was found, one a line.
    #[error("{service} can't start:\n{}", list(.mistakes))]
    Setup {
        /// The service.
        service: String,
        /// The mistakes, each a sentence with its position in the source.
        mistakes: Vec<Mistake>,
    },
    /// The bus can't be used.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// Started by systemd, and nothing says where the bus is.
    #[error(
        "{service} was started by systemd without a bus: an in-process bus would reach nobody. \
         Set DAEBUS_URL in the unit (Environment=DAEBUS_URL=redis://127.0.0.1:6379), or call .bus(url)"
    )]
    NoBus {
        /// The service.
        service: String,
    },
    /// An address to listen on can't be had.
    #[error("can't serve {what} on {address}: {source}")]
    Bind {
        /// What is served there.
        what: &'static str,
        /// The address.
        address: String,
        /// Why not.
        source: std::io::Error,
    },
    /// An `on_start` handler failed, so the service didn't come up.
    #[error("{service} didn't start: {handler} failed: {reason}")]
    OnStart {
        /// The service.
        service: String,
        /// The handler and its position.
        handler: String,
        /// What it returned, or how it panicked.
        reason: String,
    },
    /// A feature didn't start, so the service didn't come up; those that had started were stopped.
    #[error("{service} didn't start: the feature {feature} failed: {reason}")]
    Feature {
        /// The service.
        service: String,
        /// The feature's type.
        feature: String,
        /// What it returned, or how it panicked.
        reason: String,
    },
    /// A signal came before the service was up.
    #[error("{service} was told to stop before it was up")]
    Interrupted {
        /// The service.
        service: String,
    },
    /// Handlers were still running when the drain time was over; they were cut off.
    #[error("{service} stopped after {after:?} with handlers still running: {handlers}")]
    Drain {
        /// The service.
        service: String,
        /// Which were cut off, and how many of each.
        handlers: String,
        /// The drain time.
        after: Duration,
    },
    /// Another process has the configured id of this instance.
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
    /// The signals that end a service can't be listened to.
    #[error("can't listen for signals: {0}")]
    Signal(#[source] std::io::Error),
    /// One of several services in a process didn't start.
    #[error("{service} can't start: {error}")]
    OneOfSeveral {
        /// The service.
        service: String,
        /// Why not.
        error: Box<Error>,
    },
    /// An error of the application itself, which `main` returns with `?`. Displayed with its sources.
    #[error("{}", chain(&**.0))]
    Other(BoxError),
}

impl Error {
    /// Adds the service's name, where the sentence doesn't have it.
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
    /// An `Error` in the box stays what it is.
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
