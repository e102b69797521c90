//! What a client asks of the gateway.

use std::fmt;

/// What a client asks of the gateway; the argument of [`Gateway::authorize`](crate::Gateway::authorize).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access<'a> {
    /// To call an action.
    Call {
        /// The service.
        service: &'a str,
        /// The action.
        action: &'a str,
    },
    /// To receive what is published.
    Subscribe {
        /// The channel, or a pattern of the allow-list.
        channel: &'a str,
    },
    /// To publish.
    Publish {
        /// The channel.
        channel: &'a str,
    },
}

impl fmt::Display for Access<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call { service, action } => write!(f, "calls of {service}.{action}"),
            Self::Subscribe { channel } => write!(f, "subscriptions to {channel:?}"),
            Self::Publish { channel } => write!(f, "broadcasts on {channel:?}"),
        }
    }
}
