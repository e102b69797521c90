//! Parts of an application that live as long as the service: features and repeaters.

mod context;
mod lifecycle;
mod repeat;
mod repeater;

use std::future::Future;

use daebus_caller::BoxError;

pub use context::FeatureContext;
pub(crate) use lifecycle::Features;
pub(crate) use repeat::Repeaters;
pub use repeater::Repeater;

/// A part of an application that lives as long as the service: a connection to a device, a model in memory, a connection pool.
///
/// [`Daebus::feature`](crate::Daebus::feature) adds it to an application. Handlers take it as `State<Arc<F>>`.
///
/// Features start in the order in which they were added, before `on_start` handlers and before the service receives messages.
/// They stop in reverse order, after `on_stop` handlers. If a feature fails to start, the features that have started are
/// stopped, and the start of the service fails. If a feature fails to stop, the error is logged and the others are still
/// stopped.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// use daebus::prelude::*;
/// use daebus::{Feature, FeatureContext};
///
/// /// Counts visitors across restarts of the service.
/// #[derive(Default)]
/// pub struct Visitors(AtomicU64);
///
/// impl Feature for Visitors {
///     async fn start(&self, cx: &FeatureContext) -> Result<(), BoxError> {
///         self.0.store(
///             cx.cache().get("visitors").await?.unwrap_or(0),
///             Ordering::Relaxed,
///         );
///         Ok(())
///     }
///
///     async fn stop(&self, cx: &FeatureContext) -> Result<(), BoxError> {
///         Ok(cx.cache().set("visitors", &self.0.load(Ordering::Relaxed)).await?)
///     }
/// }
///
/// #[action("enter")]
/// async fn enter(State(visitors): State<Arc<Visitors>>) -> u64 {
///     visitors.0.fetch_add(1, Ordering::Relaxed) + 1
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let service = Daebus::new("museum")
///     .bus("memory://doc-feature")
///     .feature(Visitors::default())
///     .register(blueprint_of!["museum"; enter])
///     .start()
///     .await?;
/// # let visitors: u64 = service.callers().to("museum").send_request("enter", ()).await?;
/// # assert_eq!(visitors, 1);
/// service.stop().await?;
/// # Ok(())
/// # }
/// ```
pub trait Feature: Send + Sync + 'static {
    /// Runs when the service starts. The time limit is that of handlers, [`Daebus::timeout`](crate::Daebus::timeout).
    ///
    /// # Errors
    ///
    /// If this method returns an error, the start of the service fails with [`Error::Feature`](crate::Error::Feature).
    fn start(&self, cx: &FeatureContext) -> impl Future<Output = Result<(), BoxError>> + Send {
        let _ = cx;
        std::future::ready(Ok(()))
    }

    /// Runs when the service has been requested to stop and still answers requests, to notify peers for example. The time limit
    /// is 10 s.
    ///
    /// # Errors
    ///
    /// Errors are logged.
    fn before_stop(&self, cx: &FeatureContext) -> impl Future<Output = Result<(), BoxError>> + Send {
        let _ = cx;
        std::future::ready(Ok(()))
    }

    /// Runs after the last handler has ended, while the bus is still open. The time limit is 10 s.
    ///
    /// # Errors
    ///
    /// Errors are logged.
    fn stop(&self, cx: &FeatureContext) -> impl Future<Output = Result<(), BoxError>> + Send {
        let _ = cx;
        std::future::ready(Ok(()))
    }
}
