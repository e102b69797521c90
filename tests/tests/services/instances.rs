//! Several instances of a service as processes on a real Redis: killed, frozen, stopped, and after a restart of Redis.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use daebus::prelude::*;
use daebus_caller::bus::{
    self, Bus, BusUrl, Message, Queue, QueueLimits, QueueReceiver, Subscription, Topic,
};
use daebus_tests::{PATIENCE, Process, RedisServer, eventually};

pub(crate) fn instance(redis: &RedisServer, id: &str) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_instance"));
    for variable in ["NOTIFY_SOCKET", "INVOCATION_ID", "RUST_LOG", "DAEBUS_LOG_FORMAT"] {
        command.env_remove(variable);
    }
    let process = Process::start(command.arg(id).env("DAEBUS_URL", redis.url()));
    process.line("cluster is ready");
    process
}

/// A caller that sends requests as the Python package does, and hears the singleton.
struct Peer {
    bus: Arc<dyn Bus>,
    replies: QueueReceiver,
    ticks: QueueReceiver,
    _subscriptions: [Subscription; 2],
}

impl Peer {
    async fn on(redis: &RedisServer) -> Self {
        let bus = bus::connect(&BusUrl::parse(&redis.url()).unwrap()).await.unwrap();
        let (queue, replies) = Queue::drop_oldest(QueueLimits::default());
        let inbox = bus.subscribe(Topic::Channel("caller:peer".into()), queue).await.unwrap();
        let (queue, ticks) = Queue::drop_oldest(QueueLimits::default());
        let ticking = bus.subscribe(Topic::Channel("ticks".into()), queue).await.unwrap();
        Self { bus, replies, ticks, _subscriptions: [inbox, ticking] }
    }

    async fn send(&self, numbers: std::ops::Range<u64>) {
        for n in numbers {
            let request = json!({"action": "work", "payload": n, "request_id": n, "reply_to": "caller:peer"});
            self.bus.publish("cluster", request.to_string().into()).await.unwrap();
        }
    }

    /// Waits for the replies to these requests, and checks that each was run and answered once. Returns who answered.
    async fn answers(&mut self, redis: &RedisServer, numbers: std::ops::Range<u64>) -> BTreeSet<String> {
        let (mut missing, mut names): (BTreeSet<u64>, _) = (numbers.clone().collect(), BTreeSet::new());
        while !missing.is_empty() {
            let reply = parsed(&recv(&mut self.replies, &missing).await);
            assert_eq!(reply["status"], "success", "{reply}");
            let n = reply["request_id"].as_u64().unwrap();
            assert!(missing.remove(&n), "{n} was answered twice");
            names.insert(reply["payload"].as_str().unwrap().to_owned());
        }
        // Longer than any instance waits for a claim.
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(self.replies.try_recv().is_none());
        for n in numbers {
            assert_eq!(redis.cli(&["GET", &format!("ran:{n}")]), "1", "request {n}");
        }
        names
    }

    /// The next run of the singleton that begins after this call.
    async fn tick(&mut self) -> Value {
        while self.ticks.try_recv().is_some() {}
        parsed(&recv(&mut self.ticks, "a run of the singleton").await)
    }
}

async fn recv(queue: &mut QueueReceiver, what: impl std::fmt::Debug) -> Message {
    let message = tokio::time::timeout(PATIENCE, queue.recv()).await;
    message.unwrap_or_else(|_| panic!("missing: {what:?}")).unwrap()
}

fn parsed(message: &Message) -> Value {
    serde_json::from_slice(&message.payload).unwrap()
}

pub(crate) fn members(redis: &RedisServer) -> BTreeSet<String> {
    redis.cli(&["SMEMBERS", "daebus:instances:cluster"]).lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_answered_once_while_an_instance_leaves() {
    let redis = RedisServer::start();
    let mut instances: Vec<Process> = ["a", "b", "c"].map(|id| instance(&redis, id)).into();
    let mut peer = Peer::on(&redis).await;
    peer.send(0..200).await;
    assert_eq!(peer.answers(&redis, 0..200).await.len(), 3, "all of them answer");
    let holder = peer.tick().await["instance"].clone();
    let position = ["a", "b", "c"].iter().position(|id| holder == *id).unwrap();
    let mut leaving = instances.remove(position);
    leaving.signal("TERM");
    peer.send(200..400).await;
    peer.answers(&redis, 200..400).await;
    assert_eq!(leaving.wait().code(), Some(0), "{}", leaving.said());
    assert_eq!(members(&redis).len(), 2);
    assert_eq!(redis.cli(&["EXISTS", &format!("daebus:info:{}", holder.as_str().unwrap())]), "0");
    let begun = Instant::now();
    let next = peer.tick().await;
    assert_ne!(next["instance"], holder, "it has released its lease");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_instance_is_replaced_and_restarts_under_its_id() {
    let redis = RedisServer::start();
    let mut first = instance(&redis, "a");
    let mut peer = Peer::on(&redis).await;
    let token = peer.tick().await["token"].as_u64().unwrap();
    let _b = instance(&redis, "b");
    let killed = Instant::now();
    first.end();
    peer.send(0..100).await;
    assert_eq!(peer.answers(&redis, 0..100).await, BTreeSet::from(["b".to_owned()]));
    let _again = instance(&redis, "a");
    assert!(killed.elapsed() < Duration::from_secs(18), "{:?}", killed.elapsed());
    eventually("the singleton runs again", async || {
        let run = peer.tick().await;
        run["token"].as_u64().unwrap() > token
    })
    .await;
    assert!(killed.elapsed() < Duration::from_secs(22), "{:?}", killed.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_with_an_id_that_is_in_use_does_not_start() {
    let redis = RedisServer::start();
    let _first = instance(&redis, "a");
    let mut second = Command::new(env!("CARGO_BIN_EXE_instance"));
    let mut second = Process::start(second.arg("a").env("DAEBUS_URL", redis.url()));
    assert_eq!(second.wait().code(), Some(1), "{}", second.said());
    second.line("the instance id a of cluster is in use by process");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_instance_runs_nothing_that_others_have_run_meanwhile() {
    let redis = RedisServer::start();
    let a = instance(&redis, "a");
    let _b = instance(&redis, "b");
    let mut peer = Peer::on(&redis).await;
    a.signal("STOP");
    // What expires after 15 s.
    redis.cli(&["DEL", "daebus:info:a"]);
    eventually("b reports a as left", async || members(&redis) == BTreeSet::from(["b".to_owned()])).await;
    peer.send(0..100).await;
    assert_eq!(peer.answers(&redis, 0..100).await, BTreeSet::from(["b".to_owned()]));
    a.signal("CONT");
    eventually("a has joined again", async || members(&redis).len() == 2).await;
    peer.send(100..200).await;
    assert_eq!(peer.answers(&redis, 100..200).await.len(), 2, "both answer again");
    for n in 0..100 {
        assert_eq!(redis.cli(&["GET", &format!("ran:{n}")]), "1", "request {n}");
    }
}

/// Waits for the real lease to expire, so this takes 10 to 20 s.
#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_holder_of_a_lease_runs_the_singleton_no_more_than_once_after_another_has_taken_over() {
    let redis = RedisServer::start();
    let a = instance(&redis, "a");
    let mut peer = Peer::on(&redis).await;
    let first = peer.tick().await;
    assert_eq!(first["instance"], "a");
    let _b = instance(&redis, "b");
    a.signal("STOP");
    let frozen = Instant::now();
    let next = parsed(&recv(&mut peer.ticks, "a run on b").await);
    // Runs that were published before the signal took effect.
    let next = if next["instance"] == "a" { peer.tick().await } else { next };
    assert_eq!(next["instance"], "b");
    assert!(next["token"].as_u64() > first["token"].as_u64(), "{first} {next}");
    assert!(frozen.elapsed() > Duration::from_secs(8), "the lease was taken while it was valid");
    assert!(frozen.elapsed() < Duration::from_secs(22), "{:?}", frozen.elapsed());
    a.signal("CONT");
    a.line("lease lost, runs of the singleton are cancelled");
    let mut runs_of_a = 0;
    for _ in 0..20 {
        let run = parsed(&recv(&mut peer.ticks, "a run").await);
        runs_of_a += u32::from(run["instance"] == "a");
    }
    // The run that was under way when the process was frozen.
    assert!(runs_of_a <= 1, "{runs_of_a} runs with a lost lease");
}

/// On the service's channel every instance answers, on its own channel the one that is addressed.
#[tokio::test(flavor = "multi_thread")]
async fn every_instance_answers_the_built_in_actions() {
    let redis = RedisServer::start();
    let _instances = ["a", "b", "c"].map(|id| instance(&redis, id));
    let mut peer = Peer::on(&redis).await;
    for action in ["$ping", "$info", "$stats"] {
        let request = json!({"action": action, "request_id": action, "reply_to": "caller:peer"});
        peer.bus.publish("cluster", request.to_string().into()).await.unwrap();
        let mut ids = BTreeSet::new();
        for _ in 0..3 {
            let reply = parsed(&recv(&mut peer.replies, action).await);
            assert_eq!((&reply["status"], &reply["request_id"]), (&json!("success"), &json!(action)));
            assert_eq!(reply["payload"]["id"], reply["instance"]);
            ids.insert(reply["payload"]["id"].as_str().unwrap().to_owned());
        }
        assert_eq!(ids, ["a", "b", "c"].map(str::to_owned).into());
        peer.bus.publish("daebus:to:b", request.to_string().into()).await.unwrap();
        assert_eq!(parsed(&recv(&mut peer.replies, action).await)["payload"]["id"], "b");
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(peer.replies.try_recv().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn presence_claims_and_singletons_survive_a_restart_of_redis() {
    let mut redis = RedisServer::start();
    let instances = ["a", "b", "c"].map(|id| instance(&redis, id));
    let mut peer = Peer::on(&redis).await;
    peer.send(0..50).await;
    peer.answers(&redis, 0..50).await;
    let marks = instances.each_ref().map(|process| {
        process.line("bus_connected ran");
        process.mark()
    });
    redis.kill();
    redis.run();
    eventually("all have joined again", async || members(&redis).len() == 3).await;
    eventually("all are subscribed", async || {
        redis.cli(&["PUBSUB", "NUMSUB", "cluster"]).ends_with('3')
            && redis.cli(&["PUBSUB", "NUMSUB", "caller:peer"]).ends_with('1')
    })
    .await;
    peer.send(100..200).await;
    assert_eq!(peer.answers(&redis, 100..200).await.len(), 3);
    peer.tick().await;
    for (process, mark) in instances.iter().zip(marks) {
        let (mark, _) = process.line_from(mark, "bus_disconnected ran");
        process.line_from(mark, "bus_connected ran");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_answered_once_while_redis_is_out_of_memory() {
    refuse_writes(&["CONFIG", "SET", "maxmemory", "1"], &["CONFIG", "SET", "maxmemory", "0"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_answered_once_while_redis_is_read_only() {
    refuse_writes(&["REPLICAOF", "127.0.0.1", "1"], &["REPLICAOF", "NO", "ONE"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_answered_once_while_redis_forbids_writes() {
    let forbid = ["ACL", "SETUSER", "default", "-@write", "-@scripting"];
    refuse_writes(&forbid, &["ACL", "SETUSER", "default", "+@all"]).await;
}

/// Runs `refuse`, after which Redis publishes but refuses writes, and later `allow`.
async fn refuse_writes(refuse: &[&str], allow: &[&str]) {
    let redis = RedisServer::start();
    let instances = ["a", "b"].map(|id| instance(&redis, id));
    let mut peer = Peer::on(&redis).await;
    redis.cli(refuse);
    for n in 0..50_u64 {
        let request = json!({"action": "unknown", "payload": n, "request_id": n, "reply_to": "caller:peer"});
        peer.bus.publish("cluster", request.to_string().into()).await.unwrap();
    }
    let mut answered = BTreeSet::new();
    while answered.len() < 50 {
        let reply = parsed(&recv(&mut peer.replies, answered.len()).await);
        assert_eq!(reply["payload"]["code"], "unknown_action", "{reply}");
        assert!(answered.insert(reply["request_id"].as_u64().unwrap()), "answered twice: {reply}");
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(peer.replies.try_recv().is_none());
    for process in &instances {
        process.line("the bus refuses to write keys");
    }
    redis.cli(allow);
    for process in &instances {
        process.line("the bus writes keys again");
    }
    peer.send(100..150).await;
    assert_eq!(peer.answers(&redis, 100..150).await.len(), 2);
}
