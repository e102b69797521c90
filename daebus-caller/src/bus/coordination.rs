//! Outcomes of the operations by which the instances of a service coordinate.

use std::time::Duration;

/// The standing of a run of an instance, by its info key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The key holds this run, and the operation was performed.
    Kept,
    /// The key holds another run, or something else.
    TakenOver,
    /// The key doesn't exist.
    Lapsed,
}

/// The outcome of [`Bus::claim`](super::Bus::claim).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// This instance has the claim.
    Won,
    /// The claim exists already.
    Held {
        /// Its value, `<id>:<run>`. It may be this instance's own.
        by: String,
    },
    /// The instance's info key doesn't exist or doesn't hold its run, so it must not claim.
    Lapsed,
}

/// The outcome of [`Bus::acquire`](super::Bus::acquire).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acquired {
    /// The lease is acquired.
    Won {
        /// The fencing token: the server's time in microseconds since the Unix epoch.
        token: u64,
        /// The lease's value, `<holder>:<token>`, for [`Bus::renew`](super::Bus::renew) and
        /// [`Bus::release`](super::Bus::release).
        value: String,
    },
    /// The lease exists already.
    Held {
        /// Its value.
        by: String,
    },
}

/// When a key expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyExpiry {
    /// The key doesn't exist.
    Absent,
    /// Never.
    Never,
    /// After this time, in whole milliseconds.
    After(Duration),
}
