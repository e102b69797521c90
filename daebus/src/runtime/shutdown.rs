//! Asking a service to stop.

use tokio_util::sync::CancellationToken;

/// Asks the service to stop, or waits until somebody did.
///
/// An argument of any handler; [`Service::shutdown`](crate::Service::shutdown) gives the same from outside.
#[derive(Debug, Clone, Default)]
pub struct Shutdown(CancellationToken);

impl Shutdown {
    /// Asks the service to stop: the same drain as a signal. Returns at once.
    pub fn request(&self) {
        self.0.cancel();
    }

    /// Whether the service was asked to stop.
    pub fn is_requested(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Waits until the service is asked to stop.
    pub async fn requested(&self) {
        self.0.cancelled().await;
    }
}
