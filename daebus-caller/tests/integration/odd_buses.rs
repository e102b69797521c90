//! The caller on buses that are away, in doubt, or can't count: what no real one does when asked to.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may, as tests may")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use daebus_caller::bus::{Bus, BusState, Message, Topic};
use daebus_caller::{BusError, CallError, Caller, Fault, Retry};
use serde_json::Value;
use tokio::time::Instant;

use crate::odd_bus::{Odd, Outcome, answer, caller, unknown};

#[tokio::test(start_paused = true)]
async fn a_bus_that_stays_away_is_told_and_not_a_service_that_is_slow() {
    let bus = Arc::new(Odd::new([]));
    let _service = answer(&bus).await;
    bus.state.send_replace(BusState::Away);
    let caller = caller(&bus);
    let started = Instant::now();
    let error = caller.send_request::<Value>("get", ()).await.unwrap_err();
    assert!(matches!(&error, CallError::Bus(BusError::Away { .. })), "{error:?}");
    assert!(error.is_not_run());
    assert!(started.elapsed() >= Duration::from_secs(5) && started.elapsed() < Duration::from_secs(6));
    assert_eq!(caller.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_bus_that_comes_back_gets_the_request_with_what_is_left_of_its_budget() {
    let bus = Arc::new(Odd::new([]));
    let budget = Arc::new(Mutex::new(None));
    let note = budget.clone();
    let _monitor = bus
        .subscribe(
            Topic::parse("svc"),
            Arc::new(move |message: Message| {
                let request: Value = serde_json::from_slice(&message.payload).unwrap();
                *note.lock().unwrap() = request["timeout_ms"].as_u64();
            }),
        )
        .await
        .unwrap();
    let _service = answer(&bus).await;
    bus.state.send_replace(BusState::Away);
    let job = caller(&bus).send_request::<Value>("get", 1).spawn();
    tokio::time::sleep(Duration::from_secs(3)).await;
    bus.state.send_replace(BusState::Ready);
    assert_eq!(job.await.unwrap(), 1);
    let budget = budget.lock().unwrap().unwrap();
    assert!((1900..=2000).contains(&budget), "{budget}");
}

#[tokio::test(start_paused = true)]
async fn a_publish_of_unknown_outcome_is_repeated_for_idempotent_actions_only() {
    let bus = Arc::new(Odd::new([unknown(), unknown()]));
    let _service = answer(&bus).await;
    let caller = caller(&bus);
    let error = caller.send_request::<Value>("add", ()).retry(3).await.unwrap_err();
    assert!(matches!(&error, CallError::Bus(BusError::Unknown { .. })), "{error:?}");
    assert!(!error.is_not_run());
    let retry = Retry::attempts(3);
    let answer = caller.__call::<Value, Fault, Value>("get", &1, true).retry(retry).await;
    assert_eq!(answer.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_not_sent_is_tried_again() {
    let full = Err(BusError::Full { location: "odd://".into() });
    let bus = Arc::new(Odd::new([full.clone(), Ok(0), full]));
    let _service = answer(&bus).await;
    let answer = caller(&bus).send_request::<Value>("add", 1).retry(4).await;
    assert_eq!(answer.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_rest_that_would_outlast_the_budget_is_not_taken() {
    let full = || Err(BusError::Full { location: "odd://".into() });
    let bus = Arc::new(Odd::new([full(), full()]));
    let _service = answer(&bus).await;
    let started = Instant::now();
    let retry = Retry::attempts(5).backoff(Duration::from_secs(60));
    let error = caller(&bus).send_request::<Value>("add", 1).retry(retry).await.unwrap_err();
    assert!(matches!(error, CallError::Bus(BusError::Full { .. })), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_count_of_one_node_proves_nothing() {
    let bus = Arc::new(Odd { counts_are_partial: true, ..Odd::new([Ok(0)]) });
    let caller = caller(&bus);
    let started = Instant::now();
    let error = caller.send_request::<Value>("get", ()).await.unwrap_err();
    assert!(
        matches!(&error, CallError::Timeout { after, .. } if *after == Duration::from_secs(5)),
        "{error:?}"
    );
    assert_eq!(started.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_bus_closed_by_whomever_ends_the_wait() {
    let bus = Arc::new(Odd::new([Ok(1)]));
    let caller = caller(&bus);
    let job = caller.send_request::<Value>("get", ()).spawn();
    while caller.in_flight() == 0 {
        tokio::task::yield_now().await;
    }
    bus.close().await;
    assert!(matches!(job.await, Err(CallError::Closed)));
    assert_eq!(caller.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_finds_no_place_among_the_publishes_was_not_sent() {
    /// How many publishes an outbox allows at once.
    const PLACES: usize = 1024;
    let bus = Arc::new(Odd::with((0..PLACES).map(|_| Outcome::Unreported)));
    let caller = caller(&bus).timeout(Duration::from_secs(60));
    let calls: Vec<_> = (0..PLACES).map(|_| caller.send_request::<Value>("get", ()).spawn()).collect();
    while bus.published.lock().unwrap().len() < PLACES {
        tokio::task::yield_now().await;
    }
    let call = caller.send_request::<Value>("get", ()).timeout(Duration::from_secs(1));
    let error = call.await.unwrap_err();
    assert!(matches!(&error, CallError::Bus(BusError::Full { .. })) && error.is_not_run(), "{error:?}");
    assert_eq!(bus.published.lock().unwrap().len(), PLACES);
    calls.iter().for_each(daebus_caller::Job::abort);
}

/// Makes a call that the bus accepts and no service answers, and aborts it while the bus is away.
async fn abort_while_away(bus: &Arc<Odd>, caller: &Caller) -> String {
    let job = caller.send_request::<Value>("get", ()).spawn();
    while bus.published.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    // The outcome of the publish arrives.
    tokio::time::sleep(Duration::from_millis(10)).await;
    bus.state.send_replace(BusState::Away);
    job.abort();
    assert!(job.await.is_err());
    bus.published.lock().unwrap()[0].1.clone()
}

#[tokio::test(start_paused = true)]
async fn a_cancel_waits_for_a_bus_that_is_away() {
    let bus = Arc::new(Odd::new([Ok(1)]));
    let caller = caller(&bus);
    let request_id = abort_while_away(&bus, &caller).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(bus.published.lock().unwrap().len(), 1);
    bus.state.send_replace(BusState::Ready);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(bus.published.lock().unwrap()[1..], [("$cancel".to_owned(), request_id)]);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_that_waits_does_not_keep_the_bus_open() {
    let bus = Arc::new(Odd::new([Ok(1)]));
    let caller = caller(&bus);
    abort_while_away(&bus, &caller).await;
    drop(caller);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(Arc::strong_count(&bus), 1);
}

/// Without a runtime there is nobody to send a `$cancel`; the call is forgotten all the same.
#[test]
fn a_call_dropped_outside_of_a_runtime_is_forgotten() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let bus = Arc::new(Odd::new([Ok(1)]));
    let caller = caller(&bus);
    let mut call = caller.send_request::<Value>("get", ()).into_future();
    runtime.block_on(async {
        while caller.in_flight() == 0 {
            tokio::select! {
                biased;
                _ = &mut call => panic!("nobody answers"),
                () = tokio::task::yield_now() => {}
            }
        }
    });
    drop(call);
    assert_eq!(caller.in_flight(), 0);
}

/// Calls can be made wherever a task can.
#[test]
fn a_call_is_send_and_static() {
    fn check<T: Send + 'static>(_: &T) {}
    let bus = Arc::new(Odd::new([]));
    let caller = caller(&bus);
    check(&caller.send_request::<Value>("get", ()).into_future());
    check(&caller.send_request::<Value>("get", ()).progress());
    check(&async move { caller.send_request::<Value>("get", ()).await });
}
