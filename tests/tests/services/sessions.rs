//! Streams between processes on a real Redis: killed, frozen, slow and dropped.

use std::time::Instant;

use daebus::CallError;
use daebus::prelude::*;
use daebus_tests::{RedisServer, eventually, within};
use futures_util::{StreamExt, stream};

use crate::instances::instance;

async fn caller(redis: &RedisServer) -> Caller {
    Caller::connect(&redis.url(), "cluster").await.unwrap()
}

fn number(item: Option<Result<String, CallError>>) -> u64 {
    item.unwrap().unwrap().trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_stream_arrives_whole_and_in_order() {
    let redis = RedisServer::start();
    let _service = instance(&redis, "a");
    let caller = caller(&redis).await;
    let mut stream = caller.stream::<String>("count", 5000).await.unwrap();
    for expected in 0..5000 {
        assert_eq!(number(within(stream.next()).await), expected);
    }
    assert!(within(stream.next()).await.is_none());
    let items = stream::iter(0..5000).map(|_| "x".repeat(1000));
    let mut measured = caller.workflow::<usize>("measure", ()).items(items).await.unwrap();
    let Some(WorkflowUpdate::Done(sum)) = within(measured.next()).await else { panic!("it has an answer") };
    assert_eq!(sum.unwrap(), 5_000_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_service_ends_the_stream() {
    let redis = RedisServer::start();
    let mut service = instance(&redis, "a");
    let caller = caller(&redis).await;
    let mut stream = caller.stream::<String>("count", 1_000_000).await.unwrap();
    assert_eq!(number(within(stream.next()).await), 0);
    service.end();
    let started = Instant::now();
    let error = loop {
        match within(stream.next()).await {
            Some(Ok(_)) => {}
            Some(Err(error)) => break error,
            None => panic!("the stream has no end"),
        }
    };
    assert!(matches!(error, CallError::InstanceLost { .. }), "{error:?}");
    assert!(started.elapsed().as_secs() < 25, "{:?}", started.elapsed());
    assert!(within(stream.next()).await.is_none());
}

/// Takes 15 s: the limit on silence.
#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_service_and_a_frozen_caller_are_lost() {
    let redis = RedisServer::start();
    let service = instance(&redis, "a");
    let caller = caller(&redis).await;
    let mut measured = caller.listen::<Value>("measured").await.unwrap();
    let items = stream::iter(["abc".to_owned()]).chain(stream::pending());
    let mut measuring = caller.listen::<usize>("measuring").await.unwrap();
    let mut session = caller.workflow::<usize>("measure", ()).items(items).await.unwrap();
    assert_eq!(within(measuring.next()).await, Some(3));
    // Longer than the limit, so that both sides have passed it.
    service.signal("STOP");
    let started = Instant::now();
    let Some(WorkflowUpdate::Done(Err(error))) = within(session.next()).await else { panic!("it is lost") };
    assert!(matches!(error, CallError::InstanceLost { .. }), "{error:?}");
    let after = started.elapsed().as_secs();
    assert!((9..=20).contains(&after), "{after} s");
    service.signal("CONT");
    let end = within(measured.next()).await.unwrap();
    assert_eq!(end["sum"], 3, "{end}");
    assert!(end["error"].as_str().is_some_and(|error| !error.is_empty()), "{end}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_holds_the_other_process_back() {
    let redis = RedisServer::start();
    let _service = instance(&redis, "a");
    let caller = caller(&redis).await;
    let mut counted = caller.listen::<u64>("counted").await.unwrap();
    let mut stream = caller.stream::<String>("count", 100_000).await.unwrap();
    let mut last = 0;
    while last < 64 {
        last = within(counted.next()).await.unwrap();
    }
    // The window is full. Nothing more is asked for until an item is taken.
    assert!(tokio::time::timeout(Duration::from_millis(300), counted.next()).await.is_err());
    assert_eq!(number(within(stream.next()).await), 0);
    assert_eq!(within(counted.next()).await, Some(65));
    drop(stream);
    // The handler is cancelled, so its stream is dropped.
    assert!(tokio::time::timeout(Duration::from_millis(300), counted.next()).await.is_err());
    eventually("no session is left", async || caller.in_flight() == 0).await;
}

/// Nothing may be lost in the restart, and then the stream goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_redis_leaves_no_gap_in_a_stream() {
    let mut redis = RedisServer::start();
    let _service = instance(&redis, "a");
    let caller = caller(&redis).await;
    let mut stream = caller.stream::<String>("count", 1_000_000).await.unwrap();
    assert_eq!(number(within(stream.next()).await), 0);
    redis.kill();
    redis.run();
    for expected in 1..1000 {
        match within(stream.next()).await {
            Some(Ok(item)) => assert_eq!(item.trim(), expected.to_string()),
            Some(Err(CallError::InstanceLost { .. })) => break,
            Some(Err(CallError::Fault(fault))) => {
                assert!(fault.code().is_some_and(|code| code.starts_with("session_")), "{fault:?}");
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    // Another one is served.
    eventually("a stream is opened", async || {
        let Ok(mut stream) = caller.stream::<String>("count", 1).await else { return false };
        matches!(stream.next().await, Some(Ok(_)))
    })
    .await;
}
