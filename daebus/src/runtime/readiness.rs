//! Whether a service has joined its bus.

use tokio::sync::watch;

/// Whether a service has joined its bus: every subscription has been confirmed once. Remains `true` if the connection is lost
/// later, since the bus restores the subscriptions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Readiness(watch::Sender<bool>);

impl Readiness {
    /// Marks the service as ready.
    pub(crate) fn set(&self) {
        self.0.send_replace(true);
    }

    pub(crate) fn is_ready(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until the service is ready.
    pub(crate) async fn ready(&self) {
        // `self` owns the sender, so waiting can't fail.
        let _ = self.0.subscribe().wait_for(|ready| *ready).await;
    }
}
