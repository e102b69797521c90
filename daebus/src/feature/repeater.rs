use std::any::type_name;
use std::future::Future;

use daebus_caller::BoxError;

use super::FeatureContext;

/// Something that is done over and over for as long as the service runs: reading a sensor, polling a device.
///
/// `Daebus::repeater(r)` puts it in. When the service is ready, [`prepare`](Self::prepare) runs until it has gone well
/// once, and then [`run`](Self::run) again and again; `run` itself decides how long it waits. An error, or a panic, is
/// logged when it begins and when it ends, not each time; after one there is a pause of 1 s, doubled with each that
/// follows up to 30 s. When the service stops, it is cancelled at its next await.
///
/// ```
/// use daebus::prelude::*;
/// use daebus::{FeatureContext, Repeater};
///
/// /// Says every minute how warm it is.
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
///         cx.broadcast().send("temperature", json!({"celsius": degrees / 1000.0})).await?;
///         Ok(())
///     }
/// }
/// ```
pub trait Repeater: Send + 'static {
    /// What the log calls it: the type's name unless said otherwise.
    fn name(&self) -> String {
        type_name::<Self>().to_owned()
    }

    /// Runs before the first [`run`](Self::run); again, after a pause, until it has gone well.
    ///
    /// # Errors
    ///
    /// Logged once until it recovers.
    fn prepare(&mut self, cx: &FeatureContext) -> impl Future<Output = Result<(), BoxError>> + Send {
        let _ = cx;
        std::future::ready(Ok(()))
    }

    /// Does it once. It is run again as soon as it returns, so it waits by itself for what it waits for.
    ///
    /// # Errors
    ///
    /// Logged once until it recovers; the next run comes after a pause.
    fn run(&mut self, cx: &FeatureContext) -> impl Future<Output = Result<(), BoxError>> + Send;
}
