//! A Redis that is killed and restarted.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use daebus::prelude::*;
use daebus_caller::bus::{self, BusState, BusUrl, Message, Topic};
use daebus_tests::{RedisServer, eventually, next, within};
use tokio::sync::mpsc;

use super::{CALLS, ONE_IN_A_THOUSAND, Tally, Usage, counted, cycles};

/// Outlasts every outage of these tests.
const BUDGET: Duration = Duration::from_secs(6);

fn connections(redis: &RedisServer) -> usize {
    redis.cli(&["CLIENT", "LIST"]).matches("name=daebus:").count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_in_flight_survive_a_redis_that_is_killed_and_restarted() {
    let mut redis = RedisServer::start();
    let service = counted(&redis.url());
    let caller = Caller::connect(&redis.url(), "counted").await.unwrap();
    let tally = Arc::<Tally>::default();
    let mut before = None;
    for _ in 0..cycles() {
        let workers = tally.start(&caller, BUDGET, 30);
        tally.answers(CALLS).await;
        redis.kill();
        redis.run();
        tally.answers(CALLS).await;
        tally.finish(workers).await;
        let usage = Usage::of(&service);
        before.get_or_insert(usage).assert_flat(usage);
    }
    let refused: Vec<_> =
        tally.failed.lock().values().filter(|error| error.contains("NoService")).cloned().collect();
    assert!(refused.is_empty(), "{refused:?}");
    tally.check(&caller, ONE_IN_A_THOUSAND).await;
    assert_eq!(caller.in_flight(), 0);
    // Two of each process.
    eventually("the connections are as at the start", async || connections(&redis) == 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_channels_than_one_command_has_are_restored_once() {
    const CHANNELS: usize = 2500;
    let mut redis = RedisServer::start();
    let bus = within(bus::connect(&BusUrl::parse(&redis.url()).unwrap())).await.unwrap();
    let mut subscriptions = Vec::new();
    let mut receivers = Vec::new();
    for n in 0..CHANNELS {
        let (sender, receiver) = mpsc::unbounded_channel::<Message>();
        let take = move |message: Message| drop(sender.send(message));
        let topic = Topic::Channel(format!("c{n}").into());
        subscriptions.push(within(bus.subscribe(topic, Arc::new(take))).await.unwrap());
        receivers.push(receiver);
    }
    for cycle in 0..cycles() {
        redis.kill();
        within(bus.state().wait_for(|state| *state == BusState::Away)).await.unwrap();
        redis.run();
        within(bus.state().wait_for(|state| *state == BusState::Ready)).await.unwrap();
        for n in 0..CHANNELS {
            let message = Bytes::from(format!("{cycle} {n}"));
            assert_eq!(bus.publish(&format!("c{n}"), message).await.unwrap(), 1, "channel {n}");
        }
        bus.sync().await.unwrap();
        for (n, receiver) in receivers.iter_mut().enumerate() {
            assert_eq!(next(receiver).await.payload, format!("{cycle} {n}"));
            assert!(receiver.is_empty(), "channel {n} is subscribed twice");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_killed_during_a_drain_delays_no_end() {
    for _ in 0..cycles() {
        let mut redis = RedisServer::start();
        let mut service = counted(&redis.url());
        let caller = Caller::connect(&redis.url(), "counted").await.unwrap();
        let work = json!({"n": 1, "ms": 2000});
        let call = caller.send_request::<u64>("work", work).timeout(BUDGET).spawn();
        eventually("the handler runs", async || {
            let runs = caller.send_request::<Vec<(u64, u32)>>("runs", ()).await;
            runs.is_ok_and(|runs| runs == [(1, 1)])
        })
        .await;
        service.signal("TERM");
        service.line("counted is stopping");
        redis.kill();
        redis.run();
        let answer = within(call).await;
        assert!(matches!(answer, Ok(1)), "{answer:?}");
        assert_eq!(service.wait().code(), Some(0), "{}", service.said());
    }
}
