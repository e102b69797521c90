//! Connections that are half-open, slow, reset or killed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use daebus::prelude::*;
use daebus_tests::{Direction, Proxy, RedisServer, eventually, within};

use super::{CALLS, ONE_IN_A_THOUSAND, Tally, Usage, counted, cycles};

/// How long the bus needs to notice a connection that is silent: the heartbeat of 4 s and its limit of 8 s.
const DETECTED: Duration = Duration::from_secs(12);

/// Longer than [`DETECTED`].
const BUDGET: Duration = Duration::from_secs(16);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_open_connections_are_noticed_and_replaced() {
    // One cycle takes a minute.
    for cycle in 0..cycles().div_ceil(3) {
        for direction in [Direction::ToServer, Direction::ToClient] {
            let redis = RedisServer::start();
            let proxy = Proxy::start(redis.port()).await;
            // The caller is beside the proxy: only the service's connections are half-open.
            let service = counted(&proxy.url());
            let caller = Caller::connect(&redis.url(), "counted").await.unwrap();
            let tally = Arc::<Tally>::default();
            let workers = tally.start(&caller, BUDGET, 30);
            tally.answers(CALLS).await;
            let connected = proxy.accepted();
            proxy.silence(direction);
            let began = Instant::now();
            service.line("lost the connection to the bus");
            let noticed = began.elapsed();
            assert!(noticed < DETECTED + Duration::from_secs(2), "{direction:?}: {noticed:?}");
            service.line("the bus is back");
            tally.answers(CALLS).await;
            tally.finish(workers).await;
            // A connection that still receives messages is replaced once they stop.
            eventually("both connections are replaced", async || proxy.accepted() >= connected + 2).await;
            // The instance's info, which lasts 15 s from its last refresh, may expire before the connection is replaced. Calls
            // in flight then end with `InstanceLost`, so any number of them may be unanswered.
            tally.check(&caller, 1000).await;
            assert_eq!(proxy.accepted(), connected + 2, "cycle {cycle}: each connection is replaced once");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_latency_of_200_ms_costs_time_and_no_call() {
    let redis = RedisServer::start();
    let proxy = Proxy::start(redis.port()).await;
    let _service = counted(&proxy.url());
    let caller = Caller::connect(&proxy.url(), "counted").await.unwrap();
    proxy.set_latency(Duration::from_millis(200));
    let tally = Arc::<Tally>::default();
    for _ in 0..cycles() {
        let workers = tally.start(&caller, BUDGET, 30);
        tally.answers(2 * CALLS).await;
        tally.finish(workers).await;
    }
    assert!(tally.failed.lock().is_empty(), "{:?}", tally.failed.lock());
    tally.check(&caller, ONE_IN_A_THOUSAND).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resets_of_one_connection_in_a_hundred_chunks_end_with_recovery() {
    let redis = RedisServer::start();
    let proxy = Proxy::start(redis.port()).await;
    let service = counted(&proxy.url());
    // The caller is beside the proxy: replies on their way to a subscriber whose connection is reset are lost.
    let caller = Caller::connect(&redis.url(), "counted").await.unwrap();
    let tally = Arc::<Tally>::default();
    let mut before = None;
    for cycle in 1..=cycles() {
        let workers = tally.start(&caller, Duration::from_secs(6), 30);
        proxy.reset_every(100);
        eventually("connections are reset", async || proxy.resets() >= 3 * cycle).await;
        proxy.reset_every(0);
        tally.answers(CALLS).await;
        tally.finish(workers).await;
        let usage = Usage::of(&service);
        before.get_or_insert(usage).assert_flat(usage);
    }
    tally.check(&caller, ONE_IN_A_THOUSAND).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_connections_are_replaced_under_calls() {
    let redis = RedisServer::start();
    let service = counted(&redis.url());
    let caller = Caller::connect(&redis.url(), "counted").await.unwrap();
    let tally = Arc::<Tally>::default();
    let workers = tally.start(&caller, Duration::from_secs(6), 30);
    tally.answers(CALLS).await;
    let before = Usage::of(&service);
    // Thirty in the usual three cycles.
    for _ in 0..5 * cycles() {
        for kind in ["pubsub", "normal"] {
            redis.cli(&["CLIENT", "KILL", "TYPE", kind]);
            tally.answers(CALLS).await;
        }
    }
    tally.finish(workers).await;
    before.assert_flat(Usage::of(&service));
    // Redis counts a client that it is about to close as a receiver, and drops what it has not sent to it: replies that
    // are on their way to a caller whose connection is killed are lost.
    tally.check(&caller, 50).await;
    eventually("no connection is left over", async || {
        redis.cli(&["CLIENT", "LIST"]).matches("name=daebus:").count() == 4
    })
    .await;
    within(caller.close()).await;
}
