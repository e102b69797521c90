use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Listening that goes on until this is dropped. A message that is being handled then is handled to its end; those
/// that wait are dropped.
#[derive(Debug)]
#[must_use = "dropping it ends the listening; `.keep()` lets it go on for as long as the service runs"]
pub struct EventGuard {
    ended: DropGuard,
    confirmed: watch::Receiver<bool>,
}

impl EventGuard {
    pub(super) fn new(ended: CancellationToken, confirmed: watch::Receiver<bool>) -> Self {
        Self { ended: ended.drop_guard(), confirmed }
    }

    /// Whether the bus has confirmed it.
    pub fn is_confirmed(&self) -> bool {
        *self.confirmed.borrow()
    }

    /// Waits until the bus has confirmed it, for as long as the bus is away. `false`: it never will, because the
    /// service is stopping or the name can't be a channel's.
    pub async fn confirmed(&self) -> bool {
        let mut confirmed = self.confirmed.clone();
        let settled = confirmed.wait_for(|confirmed| *confirmed).await;
        settled.is_ok()
    }

    /// Lets it go on until the service stops.
    pub fn keep(self) {
        self.ended.disarm();
    }
}
