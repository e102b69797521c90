//! Parts of an application that live as long as the service does: features, and what they repeat.

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

/// A part of an application that lives as long as the service does: a connection to a device, a model in memory, a
/// pool.
///
/// `Daebus::feature(f)` puts it in. Handlers take it as `State<Arc<F>>`. Features start in the order they were put in,
/// before `on_start` handlers and before anything reaches the service, and stop in reverse order, after `on_stop`
/// handlers. When one doesn't start, those that did are stopped, and the service ends with the reason. One that doesn't
/// stop well is logged, and the others are stopped all the same.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// use daebus::prelude::*;
/// use daebus::{Feature, FeatureContext};
///
/// /// Counts visitors, over restarts of the service.
/// #[derive(Default)]
/// pub struct Visitors(AtomicU64);
///
/// impl Feature for Visitors {
///     async fn start(&self, cx: &FeatureContext) -> Result<(), BoxError> {
///         self.0.store(cx.cache().get("visitors").await?.unwrap_or(0), Ordering::Relaxed);
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
    /// Runs when the service starts, as long as it takes but no longer than the service's time limit for handlers
    /// ([`Daebus::timeout`](crate::Daebus::timeout)).
    ///
    /// # Errors
    ///
    /// The service doesn't start then, and says this reason.
    fn start(&self, cx: &FeatureContext) -> impl Future<Output = Result<(), BoxError>> + Send {
        let _ = cx;
        std::future::ready(Ok(()))
    }

    /// Runs when the service was asked to stop and still answers, 10 s at most: to say goodbye to others.
    ///
    /// # Errors
    ///
    /// Logged.
    fn before_stop(&self, cx: &FeatureContext) -> impl Future<Output = Result<(), BoxError>> + Send {
        let _ = cx;
        std::future::ready(Ok(()))
    }

    /// Runs when the last handler has ended and the bus is still there, 10 s at most.
    ///
    /// # Errors
    ///
    /// Logged.
    fn stop(&self, cx: &FeatureContext) -> impl Future<Output = Result<(), BoxError>> + Send {
        let _ = cx;
        std::future::ready(Ok(()))
    }
}
