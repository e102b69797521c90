//! Why a session ended before its final reply.

use std::time::Duration;

use crate::error::BusError;
use crate::wire::{Fault, InstanceId};

/// Why a session ended before its final reply.
///
/// The side that finds the error reports it to its peer as a [`Fault`] with the [`code`](Self::code).
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// An item is missing: it was lost, or arrived in the wrong order, or the number of items at the end is wrong.
    #[error("item {expected} of the stream is missing, {received} arrived")]
    Gap {
        /// The number that was expected.
        expected: u64,
        /// The number that arrived.
        received: u64,
    },
    /// The peer sent more items, or more bytes, than it had credit for.
    #[error("item {item} of the stream exceeds the credit")]
    Credit {
        /// The number of the item.
        item: u64,
    },
    /// The peer sent a message that a session can't contain.
    #[error("a message of the session is malformed: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
    /// Nothing has arrived from the peer for that long. Each side sends a message at least every 5 s.
    #[error("the peer sent nothing for {after:?}")]
    Lost {
        /// How long nothing has arrived.
        after: Duration,
    },
    /// The peer sent no item for that long, although it had credit.
    #[error("no item arrived within {after:?}")]
    Idle {
        /// The limit.
        after: Duration,
    },
    /// An item had no receiver: the peer's process has ended, or its connection broke.
    #[error("the peer is gone: a message of the session had no receiver")]
    Gone,
    /// The instance left, or its process was killed.
    #[error("the instance {instance} is gone")]
    InstanceLost {
        /// The instance.
        instance: InstanceId,
    },
    /// A question of a workflow was answered twice.
    #[error("question {ask} was answered twice")]
    AnsweredTwice {
        /// The number of the question.
        ask: u64,
    },
    /// The peer ended the session with this error.
    #[error("{0}")]
    Peer(Fault),
    /// The caller dropped its side of the session.
    #[error("the caller abandoned the session")]
    Abandoned,
    /// The session is over: the final reply was sent or received.
    #[error("the session is over")]
    Over,
    /// The bus failed.
    #[error(transparent)]
    Bus(BusError),
}

impl SessionError {
    /// Returns the code of the fault that reports the error.
    pub fn code(&self) -> &str {
        match self {
            Self::Gap { .. } => "session_gap",
            Self::Credit { .. } => "session_credit",
            Self::Malformed { .. } => "session_malformed",
            Self::Lost { .. } => "session_lost",
            Self::Idle { .. } => "session_idle",
            Self::Gone | Self::InstanceLost { .. } | Self::Bus(_) => "session_gone",
            Self::AnsweredTwice { .. } => "session_answered_twice",
            Self::Peer(fault) => fault.code().unwrap_or("session_peer"),
            Self::Abandoned => "session_abandoned",
            Self::Over => "session_over",
        }
    }

    /// Returns the fault that reports the error to the peer.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Peer(fault) => fault.clone(),
            error => Fault::new(error.code().to_owned(), error.to_string()),
        }
    }

    /// Returns whether a fault reports an error of the session itself, not one of the application.
    pub fn is_reported_by(fault: &Fault) -> bool {
        // Not the prefix: an application's own error may be called `session_expired`.
        const CODES: [&str; 12] = [
            "session_gap",
            "session_credit",
            "session_malformed",
            "session_lost",
            "session_idle",
            "session_gone",
            "session_answered_twice",
            "session_peer",
            "session_abandoned",
            "session_over",
            "session_unknown",
            "session_required",
        ];
        fault.code().is_some_and(|code| CODES.contains(&code))
    }
}

impl PartialEq for SessionError {
    fn eq(&self, other: &Self) -> bool {
        self.code() == other.code() && self.to_string() == other.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_application_are_not_taken_for_those_of_the_session() {
        for error in [SessionError::Gone, SessionError::Over, SessionError::Abandoned] {
            assert!(SessionError::is_reported_by(&error.fault()), "{error}");
        }
        assert!(!SessionError::is_reported_by(&Fault::new("session_expired", "log in again")));
    }
}
