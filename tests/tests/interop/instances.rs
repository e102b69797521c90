//! Python callers and three instances of a service: each request is run and answered once.

use std::process::Command;
use std::time::{Duration, Instant};

use daebus::prelude::*;
use daebus_tests::{Process, RedisServer, python};

const THREADS: u64 = 10;
const REQUESTS: u64 = 100;

fn instance(redis: &RedisServer, id: &str) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_instance"));
    command.env_remove("RUST_LOG").env("DAEBUS_URL", redis.url());
    let process = Process::start(command.arg(id));
    process.line("cluster is ready");
    process
}

fn callers(redis: &RedisServer, pause: &str) -> Process {
    let numbers = [u64::from(redis.port()), THREADS, REQUESTS].map(|number| number.to_string());
    let process = Process::start(python().args(["instances.py", "cluster"]).args(numbers).arg(pause));
    process.line("ready");
    process
}

/// Waits for the callers' end, and checks that each request was run and answered once.
fn check(redis: &RedisServer, callers: &Process, instances: &Value) {
    let line = callers.line("said ");
    let said: Value = serde_json::from_str(line.trim_start_matches("said ")).unwrap();
    assert_eq!(said["failed"], json!([]));
    assert_eq!(said["answered"], THREADS * REQUESTS);
    if instances.is_array() {
        assert_eq!(said["instances"], *instances);
    }
    let keys: Vec<String> = (0..THREADS * REQUESTS).map(|n| format!("ran:{n}")).collect();
    let command: Vec<&str> = std::iter::once("MGET").chain(keys.iter().map(String::as_str)).collect();
    let runs = redis.cli(&command);
    let twice: Vec<_> = keys.iter().zip(runs.lines()).filter(|(_, runs)| *runs != "1").collect();
    assert!(twice.is_empty() && runs.lines().count() == keys.len(), "not run once: {twice:?}");
}

#[test]
fn three_instances_answer_each_request_of_python_callers_once() {
    let redis = RedisServer::start();
    let _instances = ["a", "b", "c"].map(|id| instance(&redis, id));
    check(&redis, &callers(&redis, "0"), &json!(["a", "b", "c"]));
}

#[test]
fn requests_of_python_callers_are_answered_once_while_instances_stop_and_start() {
    let redis = RedisServer::start();
    let mut instances = Vec::from(["a", "b", "c"].map(|id| instance(&redis, id)));
    let callers = callers(&redis, "0.06");
    let begun = Instant::now();
    for n in 0..6 {
        let id = ["a", "b", "c"][n % 3];
        let mut stopped = instances.remove(0);
        stopped.signal("TERM");
        assert_eq!(stopped.wait().code(), Some(0), "{}", stopped.said());
        instances.push(instance(&redis, id));
        let next = Duration::from_secs(n as u64 + 1);
        std::thread::sleep(next.saturating_sub(begun.elapsed()));
    }
    check(&redis, &callers, &Value::Null);
}
