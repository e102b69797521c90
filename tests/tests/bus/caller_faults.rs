//! Calls on a real Redis that restarts or falls silent: each is answered, or reports what may have become of it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use daebus_caller::bus::{Bus, BusState};
use daebus_caller::{BusError, CallError, Caller};
use daebus_tests::{RedisServer, eventually, within};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::caller_redis::connect;
use crate::caller_redis::suite::{Service, echo, silence};

/// Far more than any of these calls needs.
const BUDGET: Duration = Duration::from_secs(40);

async fn until(bus: &Arc<dyn Bus>, state: BusState) {
    within(bus.state().wait_for(|now| *now == state)).await.unwrap();
}

/// How often the server has run `PUBSUB NUMSUB`.
fn counted(server: &RedisServer) -> u64 {
    let stats = server.cli(&["INFO", "commandstats"]);
    let line = stats.lines().find_map(|line| line.strip_prefix("cmdstat_pubsub|numsub:calls="));
    line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
}

#[tokio::test]
async fn a_service_that_comes_back_after_its_callers_is_waited_for() {
    let mut server = RedisServer::start();
    let bus = connect(&server.url()).await;
    let caller = Caller::on_bus(bus.clone(), "svc").unwrap().timeout(BUDGET);
    {
        let _service = Service::start(&connect(&server.url()).await, "svc", echo).await;
        let _: Value = caller.send_request("before", ()).await.unwrap();
    }
    server.kill();
    until(&bus, BusState::Away).await;
    server.run();
    until(&bus, BusState::Ready).await;
    let jobs: Vec<_> =
        (0..300).map(|n| caller.send_request::<Value>("get", json!({"n": n})).spawn()).collect();
    eventually("the calls look for the service", async || counted(&server) >= 2).await;
    let mut service = Service::start(&connect(&server.url()).await, "svc", echo).await;
    for (n, job) in jobs.into_iter().enumerate() {
        assert_eq!(within(job).await.unwrap(), json!({"n": n}));
    }
    let mut heard = HashSet::new();
    while let Ok(request) = service.heard.try_recv() {
        assert!(heard.insert(request["payload"]["n"].as_u64()), "twice: {request}");
    }
    assert_eq!(heard.len(), 300);
}

#[tokio::test]
async fn answers_arrive_although_the_server_was_silent_for_longer_than_a_command_may_take() {
    let server = RedisServer::start();
    let mut service = Service::start(&connect(&server.url()).await, "svc", echo).await;
    let bus = connect(&server.url()).await;
    let caller = Caller::on_bus(bus.clone(), "svc").unwrap().timeout(BUDGET);
    let _: Value = caller.send_request("first", ()).await.unwrap();
    assert_eq!(service.next().await["action"], "first");
    server.pause();
    let jobs: Vec<_> =
        (0..20).map(|n| caller.send_request::<Value>("get", json!({"n": n})).spawn()).collect();
    eventually("the calls are in flight", async || caller.in_flight() == 20).await;
    // Behind those of the calls, so by now their outcome is unknown too.
    let outcome = within(bus.publish("other", "{}".into())).await;
    assert!(matches!(outcome, Err(BusError::Unknown { .. })), "{outcome:?}");
    server.resume();
    for (n, job) in jobs.into_iter().enumerate() {
        assert_eq!(within(job).await.unwrap(), json!({"n": n}));
    }
    for _ in 0..20 {
        assert_eq!(service.next().await["action"], "get");
    }
    assert!(service.heard.try_recv().is_err(), "each request was sent once");
}

#[tokio::test]
async fn requests_that_a_silent_server_delivers_after_their_timeout_are_cancelled() {
    let server = RedisServer::start();
    let mut service = Service::start(&connect(&server.url()).await, "svc", silence).await;
    let caller = Caller::on_bus(connect(&server.url()).await, "svc").unwrap();
    let warm = caller.send_request::<Value>("first", ()).spawn();
    assert_eq!(service.next().await["action"], "first");
    server.pause();
    let calls = (0..20).map(|_| caller.send_request::<Value>("get", ()).timeout(Duration::from_millis(500)));
    for outcome in within(join_all(calls.map(IntoFuture::into_future))).await {
        assert!(matches!(outcome, Err(CallError::Timeout { .. })), "{outcome:?}");
    }
    server.resume();
    let mut requested = HashSet::new();
    for _ in 0..20 {
        let request = service.next().await;
        assert_eq!(request["action"], "get");
        requested.insert(request["request_id"].to_string());
    }
    for _ in 0..20 {
        let cancel = service.next().await;
        assert_eq!(cancel["action"], "$cancel");
        assert!(requested.remove(&cancel["payload"]["request_id"].to_string()), "{cancel}");
    }
    warm.abort();
}

#[tokio::test]
async fn the_first_call_waits_for_a_server_that_dies_while_the_inbox_is_subscribed() {
    let mut server = RedisServer::start();
    let _service = Service::start(&connect(&server.url()).await, "svc", echo).await;
    let caller = Caller::on_bus(connect(&server.url()).await, "svc").unwrap().timeout(BUDGET);
    server.pause();
    let job = caller.send_request::<Value>("get", json!({"n": 1})).spawn();
    eventually("the call is in flight", async || caller.in_flight() == 1).await;
    server.kill();
    server.run();
    assert_eq!(within(job).await.unwrap(), json!({"n": 1}));
}

#[tokio::test]
async fn calls_that_wait_share_their_questions_to_the_server() {
    const CALLS: usize = 2000;
    let server = RedisServer::start();
    let mut service = Service::start(&connect(&server.url()).await, "svc", silence).await;
    let caller = Caller::on_bus(connect(&server.url()).await, "svc").unwrap().timeout(Duration::from_secs(2));
    let calls = (0..CALLS).map(|_| caller.send_request::<Value>("get", ()).into_future());
    within(join_all(calls)).await;
    assert!(service.next().await["action"] == "get");
    let counted = counted(&server);
    // One per 250 ms, where each call used to send its own.
    assert!((1..=50).contains(&counted), "{CALLS} calls counted the subscribers {counted} times");
}
