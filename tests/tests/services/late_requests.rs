//! Requests that reach a service after their callers have stopped waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use daebus::prelude::*;
use daebus_tests::{RedisServer, eventually, within};

/// The handlers that have begun, and those that have run past their first await.
#[derive(Debug, Clone, Default)]
struct Runs {
    begun: Arc<AtomicU64>,
    ended: Arc<AtomicU64>,
}

#[action("work")]
async fn work(State(runs): State<Runs>) {
    runs.begun.fetch_add(1, Ordering::SeqCst);
    // A `$cancel` ends a handler at an await. The drain at the end of the test waits for those that it doesn't end.
    tokio::time::sleep(Duration::from_secs(1)).await;
    runs.ended.fetch_add(1, Ordering::SeqCst);
}

#[action("ready")]
async fn ready() {}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_a_silent_server_delivers_after_their_timeout_are_not_run() {
    const CALLS: u64 = 300;
    let redis = RedisServer::start();
    let runs = Runs::default();
    let app = Daebus::new("late").bus(redis.url()).state(runs.clone());
    let service = app.register(blueprint_of!["late"; work, ready]).start().await.unwrap();
    let caller = Caller::connect(&redis.url(), "late").await.unwrap();
    caller.send_request::<()>("ready", ()).await.unwrap();
    let paused = tokio::time::Instant::now();
    redis.pause();
    let call = || caller.send_request::<()>("work", ()).timeout(Duration::from_secs(1)).spawn();
    let calls: Vec<_> = (0..CALLS).map(|_| call()).collect();
    for call in calls {
        let outcome = within(call).await;
        assert!(matches!(outcome, Err(CallError::Timeout { .. })), "{outcome:?}");
    }
    // Not a wait for an event: longer than a command may take.
    tokio::time::sleep_until(paused + Duration::from_secs(7)).await;
    redis.resume();
    // Every request and every `$cancel` was sent before this call, on the same connection.
    eventually("the service answers", async || caller.send_request::<()>("ready", ()).await.is_ok()).await;
    within(service.stop()).await.unwrap();
    let (begun, ended) = (runs.begun.load(Ordering::SeqCst), runs.ended.load(Ordering::SeqCst));
    assert_eq!(ended, 0, "{begun} of {CALLS} have begun");
    caller.close().await;
}
