//! What becomes of a request: no receiver, an outcome that is unknown or late, a bus that goes away.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may, as tests may")]

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use daebus_caller::bus::{Bus, Deliver, Message, Topic};
use daebus_caller::{BusError, CallError};
use daebus_tests_support::eventually;
use futures_util::future::join_all;
use serde_json::Value;
use tokio::time::Instant;

use crate::odd_bus::{Odd, Outcome, answer, caller, unknown};

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
async fn a_request_without_a_receiver_is_published_once_more() {
    let bus = Arc::new(Odd::new([Ok(0)]));
    let _service = answer(&bus).await;
    assert_eq!(caller(&bus).send_request::<Value>("get", 1).await.unwrap(), 1);
    assert_eq!(actions(&bus), (vec!["get".into(), "get".into()], true));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_does_not_exist_is_reported_within_a_tenth_of_a_second() {
    let bus = Arc::new(Odd::new([]));
    let started = Instant::now();
    let error = caller(&bus).send_request::<Value>("get", ()).await.unwrap_err();
    assert!(matches!(error, CallError::NoService { .. }), "{error:?}");
    assert!(started.elapsed() < Duration::from_millis(100), "{:?}", started.elapsed());
    assert_eq!(actions(&bus).0.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn after_a_reconnect_a_call_waits_for_its_service() {
    for monitored in [false, true] {
        let bus = Arc::new(Odd { last_reconnect: Some(Instant::now()), ..Odd::new([]) });
        let topic = if monitored { "*" } else { "another" };
        let _monitor = bus.subscribe(Topic::parse(topic), nothing()).await.unwrap();
        let caller = caller(&bus);
        let jobs: Vec<_> = (0..100)
            .map(|n| caller.send_request::<Value>("get", n).timeout(Duration::from_secs(8)).spawn())
            .collect();
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(actions(&bus).0.len(), 0, "no monitor receives a request that its service can't");
        let _service = answer(&bus).await;
        for (n, job) in jobs.into_iter().enumerate() {
            assert_eq!(job.await.unwrap(), n, "monitored: {monitored}");
        }
        assert_eq!(actions(&bus).0.len(), 100);
        let counted = bus.counted.load(Ordering::Relaxed);
        assert!(counted < 20, "100 calls counted the subscribers {counted} times");
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_stays_away_after_a_reconnect_is_reported_within_the_budget() {
    for (budget, at_least, at_most) in [(1, 0, 1), (30, 9, 11)] {
        let bus = Arc::new(Odd { last_reconnect: Some(Instant::now()), ..Odd::new([]) });
        let started = Instant::now();
        let call = caller(&bus).send_request::<Value>("get", ()).timeout(Duration::from_secs(budget));
        let error = call.await.unwrap_err();
        assert!(matches!(error, CallError::NoService { .. }), "{error:?}");
        let took = started.elapsed();
        assert!(took >= Duration::from_secs(at_least) && took <= Duration::from_secs(at_most), "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reconnect_long_ago_changes_nothing() {
    let bus = Arc::new(Odd { last_reconnect: Some(Instant::now()), ..Odd::new([]) });
    tokio::time::advance(Duration::from_secs(11)).await;
    let started = Instant::now();
    let error = caller(&bus).send_request::<Value>("get", ()).await.unwrap_err();
    assert!(matches!(error, CallError::NoService { .. }), "{error:?}");
    assert!(started.elapsed() < Duration::from_millis(100), "{:?}", started.elapsed());
    assert_eq!(bus.counted.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_counts_although_it_is_unknown_whether_its_request_arrived() {
    let bus = Arc::new(Odd::with([Outcome::Delivered(unknown()), Outcome::Unreported]));
    let _service = answer(&bus).await;
    let caller = caller(&bus);
    for n in 0..2 {
        assert_eq!(caller.send_request::<Value>("get", n).retry(3).await.unwrap(), n);
    }
    assert_eq!(actions(&bus).0, ["get", "get"]);
}

#[tokio::test(start_paused = true)]
async fn a_request_of_unknown_outcome_is_waited_for_until_the_deadline_and_then_cancelled() {
    let bus = Arc::new(Odd::new([unknown()]));
    let caller = caller(&bus);
    let started = Instant::now();
    let error = caller.send_request::<Value>("get", ()).await.unwrap_err();
    assert!(matches!(&error, CallError::Bus(BusError::Unknown { .. })), "{error:?}");
    assert!(!error.is_not_run());
    assert_eq!(started.elapsed().as_secs(), 5);
    assert_eq!(caller.in_flight(), 0);
    eventually("it is cancelled", async || actions(&bus) == (vec!["get".into(), "$cancel".into()], true))
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_still_being_published_at_the_deadline_is_cancelled() {
    let bus = Arc::new(Odd::with([Outcome::Unreported]));
    let error = caller(&bus).send_request::<Value>("get", ()).await.unwrap_err();
    assert!(matches!(&error, CallError::Timeout { .. }), "{error:?}");
    eventually("it is cancelled", async || actions(&bus) == (vec!["get".into(), "$cancel".into()], true))
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_confirmed_request_is_not_cancelled_at_the_deadline() {
    let bus = Arc::new(Odd::with([Outcome::Lost(Ok(1)), Outcome::Lost(Ok(1))]));
    let _service = bus.subscribe(Topic::parse("svc"), nothing()).await.unwrap();
    let caller = caller(&bus);
    for action in ["first", "second"] {
        let error = caller.send_request::<Value>(action, ()).await.unwrap_err();
        assert!(matches!(&error, CallError::Timeout { .. }), "{error:?}");
    }
    assert_eq!(actions(&bus).0, ["first", "second"]);
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
async fn a_bus_that_goes_away_after_it_was_found_ready_gets_the_request_later() {
    let away: Result<u64, BusError> = Err(BusError::Away { location: "odd://".into() });
    let bus = Arc::new(Odd::new([away.clone(), away]));
    let _service = answer(&bus).await;
    assert_eq!(caller(&bus).send_request::<Value>("get", 1).await.unwrap(), 1);
    assert_eq!(actions(&bus), (vec!["get".to_owned(); 3], true));
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
