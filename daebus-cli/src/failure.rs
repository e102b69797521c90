//! Why a command failed, and its exit code.

use daebus_caller::wire::FaultCode;
use daebus_caller::{BusError, CallError, Fault};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A service answered with an error.
    #[error("{0}")]
    Answer(Fault),
    /// At least one instance did not answer, or answered with an error; the output has the reasons.
    #[error("{failed} of {of} instances failed")]
    Instances { failed: usize, of: usize, exit_code: u8 },
    /// An argument can't be used.
    #[error("{0}")]
    Usage(String),
    /// There is no such service or instance.
    #[error("{0}")]
    NoService(String),
    #[error("{0}")]
    Timeout(String),
    #[error("{0}")]
    Bus(String),
    /// The server of the bus has settings that lose messages; the output has the advice.
    #[error("{problems} of the checks failed")]
    Check { problems: usize },
    /// The output can't be written.
    #[error("the output can't be written: {0}")]
    Output(#[from] std::io::Error),
}

impl Failure {
    /// Returns a failure if there is one among those of several instances. Its exit code is theirs if they have the same, else 1.
    pub(crate) fn of_instances(failures: &[Self], of: usize) -> Result<(), Self> {
        let Some(first) = failures.first() else { return Ok(()) };
        let is_common = failures.iter().all(|failure| failure.exit_code() == first.exit_code());
        let exit_code = if is_common { first.exit_code() } else { 1 };
        Err(Self::Instances { failed: failures.len(), of, exit_code })
    }

    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Instances { exit_code, .. } => *exit_code,
            Self::Answer(_) | Self::Check { .. } | Self::Output(_) => 1,
            Self::Usage(_) => 2,
            Self::NoService(_) => 3,
            Self::Timeout(_) => 4,
            Self::Bus(_) => 5,
        }
    }

    /// A word that names the kind of failure, for scripts.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Answer(_) => "answer",
            Self::Instances { .. } => "instances",
            Self::Usage(_) => "usage",
            Self::NoService(_) => "no_service",
            Self::Timeout(_) => "timeout",
            Self::Bus(_) => "bus",
            Self::Check { .. } => "check",
            Self::Output(_) => "output",
        }
    }
}

impl From<BusError> for Failure {
    fn from(error: BusError) -> Self {
        match error {
            BusError::Url { .. } | BusError::Name(_) => Self::Usage(error.to_string()),
            BusError::Away { location } => Self::Bus(format!(
                "the bus at {location} can't be reached: start the server, or name another one with --bus or DAEBUS_URL"
            )),
            error => Self::Bus(error.to_string()),
        }
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        let text = error.to_string();
        let timeout = || {
            Self::Timeout(format!(
                "{text}; the action may have run: the limit is --timeout, or the action's own if it is shorter"
            ))
        };
        match error {
            // The service has the time limit of the call, and may report it first.
            CallError::Service(fault) | CallError::Fault(fault)
                if fault.reserved_code() == Some(FaultCode::DeadlineExceeded) =>
            {
                timeout()
            }
            CallError::Service(fault) | CallError::Fault(fault) => Self::Answer(fault),
            CallError::NoService { .. } | CallError::InstanceLost { .. } => Self::NoService(text),
            CallError::Timeout { .. } => timeout(),
            CallError::Bus(error) => error.into(),
            _ => Self::Bus(text),
        }
    }
}
