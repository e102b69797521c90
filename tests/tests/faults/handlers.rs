//! Handlers that panic, hang or answer too much, and a service that is killed with calls in flight.

use std::time::{Duration, Instant};

use daebus::prelude::*;
use daebus_tests::{RedisServer, eventually, within};
use futures_util::future::join_all;

use super::{Usage, counted, cycles};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handlers_that_panic_or_hang_are_contained_and_named_in_the_log() {
    let redis = RedisServer::start();
    let service = counted(&redis.url());
    let caller = Caller::connect(&redis.url(), "counted").await.unwrap();
    let mut before = None;
    for _ in 0..cycles() {
        let calls = (0..100).map(|n| {
            let action = ["panics", "hangs", "blocks"][n % 3];
            caller.send_request::<Value>(action, ()).timeout(Duration::from_millis(500)).into_future()
        });
        let (outcomes, other) = tokio::join!(join_all(calls), async {
            let call = caller.send_request::<u64>("work", json!({"n": 1, "ms": 0}));
            within(call.into_future()).await
        });
        assert_eq!(other.unwrap(), 1, "another action is not affected");
        assert!(outcomes.iter().all(Result::is_err), "{outcomes:?}");
        let usage = Usage::of(&service);
        before.get_or_insert(usage).assert_flat(usage);
    }
    for (words, handler) in [
        ("the handler panicked: panics on purpose", "panics"),
        ("handler timed out", "hangs"),
        ("handler timed out", "blocks"),
    ] {
        let handler = format!("handler=\"{handler}\"");
        let is_logged = |line: &str| line.contains(words) && line.contains(&handler);
        eventually("the log names the handler", async || service.said().lines().any(is_logged)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_of_50_mb_arrives_or_fails_and_others_follow() {
    const BYTES: usize = 50 << 20;
    let redis = RedisServer::start();
    let service = counted(&redis.url());
    let caller = Caller::connect(&redis.url(), "counted").await.unwrap();
    let mut before = None;
    for _ in 0..cycles() {
        // Redis ends the connection of a subscriber that is 32 MB behind, so the caller gets nothing.
        let large = caller.send_request::<String>("large", BYTES).timeout(Duration::from_secs(8)).spawn();
        let answer = within(large).await;
        match answer {
            Ok(text) => assert_eq!(text.len(), BYTES),
            Err(error) => assert!(!matches!(error, CallError::NoService { .. }), "{error}"),
        }
        // To write it as JSON keeps a thread of an unoptimized build busy for seconds.
        eventually("another call is answered", async || {
            caller.send_request::<u64>("work", json!({"n": 1, "ms": 0})).await.is_ok()
        })
        .await;
        let usage = Usage::of(&service);
        before.get_or_insert(usage).assert_flat(usage);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_of_a_killed_service_end_and_the_next_service_answers() {
    let redis = RedisServer::start();
    let caller = Caller::connect(&redis.url(), "counted").await.unwrap();
    // Each takes up to 25 s: an info of a killed instance expires.
    for cycle in 0..cycles().min(10) {
        let mut service = counted(&redis.url());
        let within_budget = Duration::from_secs(30);
        let calls: Vec<_> = (0..100_u64)
            .map(|n| {
                let work = json!({"n": n, "ms": 60_000});
                caller.send_request::<u64>("work", work).timeout(Duration::from_secs(60)).spawn()
            })
            .collect();
        eventually("all handlers run", async || {
            let runs = caller.send_request::<Vec<(u64, u32)>>("runs", ()).await;
            runs.is_ok_and(|runs| runs.len() == 100)
        })
        .await;
        let killed = Instant::now();
        service.end();
        for outcome in join_all(calls.into_iter().map(within)).await {
            assert!(matches!(outcome, Err(CallError::InstanceLost { .. })), "cycle {cycle}: {outcome:?}");
        }
        assert!(killed.elapsed() < within_budget, "{:?}", killed.elapsed());
        assert_eq!(caller.in_flight(), 0);
    }
    let _service = counted(&redis.url());
    let call = caller.send_request::<u64>("work", json!({"n": 1, "ms": 0})).timeout(Duration::from_secs(10));
    assert_eq!(call.await.unwrap(), 1);
}
