//! Retries an operation until the bus is available.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use daebus_caller::__private::Backoff;
use daebus_caller::BusError;
use daebus_caller::bus::{Bus, BusState, STALE_STATE};
use tracing::{error, info};

/// The delay after the first refusal, and the maximum.
const FIRST_DELAY: Duration = Duration::from_millis(500);
const MAX_DELAY: Duration = Duration::from_secs(30);

/// The behaviour if the bus is away or refuses the subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Join {
    /// Wait for the bus, and return a refusal.
    UnlessRefused,
    /// Retry until the service stops.
    WhenAvailable,
}

/// Makes attempts as soon as the bus is connected, until one succeeds. Logs the first refusal and its end, unless `join` makes a
/// refusal an error. `subject` names the attempt in the log.
pub(crate) async fn when_available<T, F>(
    bus: &dyn Bus,
    join: Join,
    subject: &(dyn Display + Sync),
    mut attempt: impl FnMut() -> F,
) -> Result<T, BusError>
where
    F: Future<Output = Result<T, BusError>>,
{
    let mut states = bus.state();
    let (mut backoff, mut refused) = (Backoff::new(FIRST_DELAY, MAX_DELAY).without_jitter(), false);
    loop {
        let settled = states.wait_for(|state| *state != BusState::Away).await.map(|state| *state);
        if !matches!(settled, Ok(BusState::Ready)) {
            return Err(BusError::Closed);
        }
        match attempt().await {
            Ok(done) => {
                if refused {
                    info!(topic = %subject, "subscription accepted after retrying");
                }
                return Ok(done);
            }
            Err(BusError::Closed) => return Err(BusError::Closed),
            Err(BusError::Away { .. } | BusError::Unknown { .. }) => tokio::time::sleep(STALE_STATE).await,
            Err(error) if join == Join::UnlessRefused => return Err(error),
            Err(error) => {
                if !refused {
                    error!(topic = %subject, %error, "subscription refused, retrying with backoff");
                }
                refused = true;
                tokio::time::sleep(backoff.next_delay()).await;
            }
        }
    }
}
