//! What becomes of a request: no receiver, an outcome that is unknown or late, a bus that goes away.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may, as tests may")]

use std::sync::Arc;
use std::sync::atomic::Ordering;

use daebus_caller::{BusError, CallError};
use serde_json::Value;
use tokio::time::Instant;

use crate::odd_buses::{Odd, answer, caller};

#[tokio::test(start_paused = true)]
async fn a_bus_that_goes_away_while_the_inbox_is_subscribed_is_waited_for() {
    let bus = Arc::new(Odd::new([]));
    let _service = answer(&bus).await;
    bus.failing_subscriptions.store(3, Ordering::Relaxed);
    assert_eq!(caller(&bus).send_request::<Value>("get", 1).await.unwrap(), 1);

    let bus = Arc::new(Odd::new([]));
    bus.failing_subscriptions.store(u64::MAX, Ordering::Relaxed);
    let started = Instant::now();
    let error = caller(&bus).send_request::<Value>("get", 1).await.unwrap_err();
    assert!(matches!(&error, CallError::Bus(BusError::Away { .. })), "{error:?}");
    assert_eq!(started.elapsed().as_secs(), 5);
}
