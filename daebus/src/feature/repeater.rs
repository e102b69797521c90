use std::any::type_name;
use std::future::Future;

use daebus_caller::BoxError;

use super::FeatureContext;

/// Work that is repeated as long as the service runs, such as reading a sensor or polling a device.
///
/// [`Daebus::repeater`](crate::Daebus::repeater) adds it to an application. Once the service is ready,
/// [`prepare`](Self::prepare) runs until it succeeds, and then [`run`](Self::run) runs repeatedly; `run` itself waits between
/// its rounds.
///
/// After an error or a panic, the next attempt is made with exponential backoff, from 1 s up to 30 s. An error that repeats
/// unchanged is logged once when it begins and once when it ends. When the service stops, the repeater is cancelled at its next
/// await point.
///
/// ```
/// use daebus::prelude::*;
/// use daebus::{FeatureContext, Repeater};
///
/// /// Publishes the temperature every minute.
/// pub struct Thermometer(Option<String>);
///
/// impl Repeater for Thermometer {
///     async fn prepare(&mut self, _: &FeatureContext) -> Result<(), BoxError> {
///         self.0 = Some("/sys/class/thermal/thermal_zone0/temp".to_owned());
///         Ok(())
///     }
///
///     async fn run(&mut self, cx: &FeatureContext) -> Result<(), BoxError> {
///         tokio::time::sleep(Duration::from_secs(60)).await;
///         let sensor = self.0.as_deref().ok_or("not prepared")?;
///         let degrees: f64 = std::fs::read_to_string(sensor)?.trim().parse()?;
///         cx.broadcast()
///             .send("temperature", json!({"celsius": degrees / 1000.0}))
///             .await?;
///         Ok(())
///     }
/// }
/// ```
pub trait Repeater: Send + 'static {
    /// Returns the name of the repeater in the log. Defaults to the name of the type.
    fn name(&self) -> String {
        type_name::<Self>().to_owned()
    }

    /// Runs before the first [`run`](Self::run).
    ///
    /// # Errors
    ///
    /// If this method returns an error, the error is logged and `prepare` is retried with backoff.
    fn prepare(&mut self, cx: &FeatureContext) -> impl Future<Output = Result<(), BoxError>> + Send {
        let _ = cx;
        std::future::ready(Ok(()))
    }

    /// Runs one round. It is called again as soon as it returns, so it must wait for its interval or for its device itself.
    ///
    /// # Errors
    ///
    /// If this method returns an error, the error is logged and the next round begins after a backoff.
    fn run(&mut self, cx: &FeatureContext) -> impl Future<Output = Result<(), BoxError>> + Send;
}
