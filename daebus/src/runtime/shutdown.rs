//! Requests a service to stop.

use tokio_util::sync::CancellationToken;

/// Requests the service to stop, or waits for such a request.
///
/// An argument of any handler. Outside of handlers, [`Service::shutdown`](crate::Service::shutdown) returns it.
///
/// ```
/// use daebus::prelude::*;
///
/// #[action("restart")]
/// async fn restart(shutdown: Shutdown) {
///     shutdown.request();
/// }
/// # let _ = blueprint_of!["admin"; restart];
/// ```
#[derive(Debug, Clone, Default)]
pub struct Shutdown(CancellationToken);

impl Shutdown {
    /// Requests the service to stop, with the same drain as a signal. Returns immediately.
    pub fn request(&self) {
        self.0.cancel();
    }

    /// Returns whether the service has been requested to stop.
    pub fn is_requested(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Waits until the service is requested to stop.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe.
    pub async fn requested(&self) {
        self.0.cancelled().await;
    }
}
