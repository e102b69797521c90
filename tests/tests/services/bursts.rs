//! Bursts on a real Redis, sent in one piece by a peer that waits for nothing.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use daebus::prelude::*;
use daebus_tests::{PATIENCE, RedisServer, eventually};

#[listen("news")]
async fn news(Payload(n): Payload<u64>, State(sum): State<Arc<AtomicU64>>) {
    sum.fetch_add(n, Ordering::SeqCst);
}

/// Publishes these messages in one write, and returns how many subscribers received them in total.
fn publish_at_once(redis: &RedisServer, channel: &str, messages: impl Iterator<Item = u64>) -> u64 {
    let mut connection = TcpStream::connect(("127.0.0.1", redis.port())).unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    let commands: Vec<String> = messages.map(|message| format!("PUBLISH {channel} {message}\r\n")).collect();
    let mut writer = connection.try_clone().unwrap();
    let count = commands.len();
    let writing = std::thread::spawn(move || writer.write_all(commands.concat().as_bytes()).unwrap());
    let replies = BufReader::new(&mut connection).lines().take(count);
    let received = replies.map(|reply| reply.unwrap()[1..].parse::<u64>().unwrap()).sum();
    writing.join().unwrap();
    received
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_handles_30_000_broadcasts_at_once() {
    const MESSAGES: u64 = 30_000;
    let redis = RedisServer::start();
    let sum = Arc::new(AtomicU64::new(0));
    let app = Daebus::new("listener").bus(redis.url()).state(Arc::clone(&sum));
    let service = app.register(blueprint_of!["news"; news]).start().await.unwrap();
    assert_eq!(publish_at_once(&redis, "news", 1..=MESSAGES), MESSAGES);
    let expected = MESSAGES * (MESSAGES + 1) / 2;
    eventually("every broadcast is handled", async || sum.load(Ordering::SeqCst) == expected).await;
    service.stop().await.unwrap();
}

/// How often the server has run `PUBSUB NUMSUB`.
fn counted(redis: &RedisServer) -> u64 {
    let stats = redis.cli(&["INFO", "commandstats"]);
    let line = stats.lines().find_map(|line| line.strip_prefix("cmdstat_pubsub|numsub:calls="));
    line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_share_their_queries_for_subscribers() {
    const CALLS: usize = 2000;
    let redis = RedisServer::start();
    let service = Daebus::new("unknown").bus(redis.url()).register(Blueprint::new("empty").action("a", a));
    let service = service.start().await.unwrap();
    let caller = Caller::connect(&redis.url(), "unknown").await.unwrap().timeout(PATIENCE);
    let calls: Vec<_> = (0..CALLS).map(|_| caller.send_request::<()>("b", ()).spawn()).collect();
    for call in calls {
        let Err(CallError::Fault(fault) | CallError::Service(fault)) = call.await else {
            panic!("the action does not exist")
        };
        assert!(fault.is_refused() && fault.code() == Some("unknown_action"), "{fault:?}");
    }
    // One per round trip, where each refusal used to send its own.
    let counted = counted(&redis);
    assert!(
        (1..=CALLS as u64 / 4).contains(&counted),
        "{CALLS} refusals counted the subscribers {counted} times"
    );
    caller.close().await;
    service.stop().await.unwrap();
}

async fn a() {}
