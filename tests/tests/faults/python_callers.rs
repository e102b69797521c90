//! Python callers and three instances of a service, one of which is killed every second.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use daebus::prelude::*;
use daebus_caller::bus::{self, BusUrl, Message, Topic};
use daebus_tests::{Process, RedisServer, python, within};
use tokio::sync::mpsc;

use super::cycles;
use crate::instances::instance;

const THREADS: u64 = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_of_python_callers_is_run_or_answered_twice_while_instances_are_killed() {
    // Twenty requests per second and thread, unless one waits for an answer that was lost with its instance: 20 s.
    let requests = 20 * cycles();
    let redis = RedisServer::start();
    let bus = within(bus::connect(&BusUrl::parse(&redis.url()).unwrap())).await.unwrap();
    let (sender, mut replies) = mpsc::unbounded_channel::<Value>();
    let take = move |message: Message| drop(sender.send(serde_json::from_slice(&message.payload).unwrap()));
    let _watched = bus.subscribe(Topic::parse("caller:*"), Arc::new(take)).await.unwrap();
    let mut instances: VecDeque<Process> = (0..3).map(|id| instance(&redis, &format!("i{id}"))).collect();
    let numbers = [u64::from(redis.port()), THREADS, requests].map(|number| number.to_string());
    let mut callers = Process::start(python().args(["instances.py", "cluster"]).args(numbers).arg("0.05"));
    callers.line("ready");
    let begun = Instant::now();
    let mut kills = 0;
    while callers.is_running() && kills < 3 * cycles() {
        let mut killed = instances.pop_front().unwrap();
        killed.end();
        kills += 1;
        instances.push_back(instance(&redis, &format!("i{}", 2 + kills)));
        // The schedule of the fault, not a wait for an event.
        let next = Duration::from_secs(kills);
        tokio::time::sleep(next.saturating_sub(begun.elapsed())).await;
    }
    let line = callers.line("said ");
    let said: Value = serde_json::from_str(line.trim_start_matches("said ")).unwrap();
    let (answered, failed) = (said["answered"].as_u64().unwrap(), said["failed"].as_array().unwrap());
    println!("{kills} kills, {answered} answered, {} lost", failed.len());
    assert_eq!(answered + failed.len() as u64, THREADS * requests);
    assert!(failed.len() as u64 <= kills * THREADS, "{failed:?}");

    let keys: Vec<String> = (0..THREADS * requests).map(|n| format!("ran:{n}")).collect();
    let command: Vec<&str> = std::iter::once("MGET").chain(keys.iter().map(String::as_str)).collect();
    let runs = redis.cli(&command);
    let twice: Vec<_> = keys.iter().zip(runs.lines()).filter(|(_, runs)| !["", "1"].contains(runs)).collect();
    assert!(twice.is_empty(), "run more than once: {twice:?}");
    bus.sync().await.unwrap();
    let mut answers = BTreeMap::<String, u64>::new();
    while let Ok(reply) = replies.try_recv() {
        if reply["status"] != "progress" {
            *answers.entry(reply["request_id"].to_string()).or_default() += 1;
        }
    }
    assert!(answers.len() as u64 >= answered);
    answers.retain(|_, times| *times > 1);
    assert!(answers.is_empty(), "answered more than once: {answers:?}");
}
