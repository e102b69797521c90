//! Limits on the silence of a peer.

use std::time::Duration;

/// After this time without a message of its own, a side repeats its credit.
pub(super) const BEAT: Duration = Duration::from_secs(5);

/// After this time without a message of the peer, the session ends.
pub(super) const LOST: Duration = Duration::from_secs(15);
