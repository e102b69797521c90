//! What becomes of a request: no receiver, an outcome that is unknown or late, a bus that goes away.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may, as tests may")]

use std::sync::Arc;
use std::sync::atomic::Ordering;

use daebus_caller::bus::{Bus, Deliver, Message, Topic};
use daebus_caller::{BusError, CallError};
use futures_util::future::join_all;
use serde_json::Value;
use tokio::time::Instant;

use crate::odd_buses::{Odd, answer, caller};

/// The actions that were published, and whether all messages carry one request id.
fn actions(bus: &Odd) -> (Vec<String>, bool) {
    let published = bus.published.lock().unwrap();
    let same = published.windows(2).all(|pair| pair[0].1 == pair[1].1 && !pair[0].1.is_empty());
    (published.iter().map(|(action, _)| action.clone()).collect(), same)
}

fn nothing() -> Arc<dyn Deliver> {
    Arc::new(|_: Message| {})
}

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

#[tokio::test(start_paused = true)]
async fn calls_without_an_answer_count_the_subscribers_together() {
    let bus = Arc::new(Odd::new([]));
    let _service = bus.subscribe(Topic::parse("svc"), nothing()).await.unwrap();
    let caller = caller(&bus);
    let calls = (0..1000).map(|_| caller.send_request::<Value>("get", ()).into_future());
    let errors = join_all(calls).await;
    assert!(errors.iter().all(|error| matches!(error, Err(CallError::Timeout { .. }))));
    assert_eq!(bus.counted.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn calls_that_reach_monitors_alone_share_one_count_and_one_ping() {
    let bus = Arc::new(Odd::new([]));
    let _monitor = bus.subscribe(Topic::parse("*"), nothing()).await.unwrap();
    let caller = caller(&bus);
    let calls = (0..1000).map(|_| caller.send_request::<Value>("get", ()).into_future());
    let errors = join_all(calls).await;
    assert!(errors.iter().all(|error| matches!(error, Err(CallError::NoService { .. }))));
    assert_eq!(bus.counted.load(Ordering::Relaxed), 1);
    assert_eq!(actions(&bus).0.iter().filter(|action| *action == "$ping").count(), 1);
}
