//! Whether a service has joined its bus.

use tokio::sync::watch;

/// Whether a service has joined its bus: every subscription confirmed, once. It stays so when the bus goes away later,
/// since the bus restores them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Readiness(watch::Sender<bool>);

impl Readiness {
    /// From now on it has.
    pub(crate) fn set(&self) {
        self.0.send_replace(true);
    }

    /// Whether it has.
    pub(crate) fn is_ready(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it has.
    pub(crate) async fn ready(&self) {
        // The sender is ours, so it can't be gone.
        let _ = self.0.subscribe().wait_for(|ready| *ready).await;
    }
}
