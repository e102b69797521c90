use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A guard that stops a listener when it is dropped. Returned by [`Events::listen`](crate::Events::listen).
///
/// When the guard is dropped, the message being handled is handled to its end, and messages in the queue are dropped.
#[derive(Debug)]
#[must_use = "dropping the guard stops the listener; `.keep()` keeps the listener until the service stops"]
pub struct EventGuard {
    ended: DropGuard,
    confirmed: watch::Receiver<bool>,
}

impl EventGuard {
    pub(super) fn new(ended: CancellationToken, confirmed: watch::Receiver<bool>) -> Self {
        Self { ended: ended.drop_guard(), confirmed }
    }

    /// Returns whether the bus has confirmed the subscription.
    pub fn is_confirmed(&self) -> bool {
        *self.confirmed.borrow()
    }

    /// Waits until the bus has confirmed the subscription, which may take as long as the bus is away. Returns `false` if the
    /// subscription will never be confirmed: the service is stopping, or the channel is invalid.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe.
    pub async fn confirmed(&self) -> bool {
        let mut confirmed = self.confirmed.clone();
        let settled = confirmed.wait_for(|confirmed| *confirmed).await;
        settled.is_ok()
    }

    /// Keeps the listener until the service stops.
    pub fn keep(self) {
        self.ended.disarm();
    }
}
