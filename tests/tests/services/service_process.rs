//! A service as a process: how it starts, what it says when it can't, and how it ends.

use std::process::Command;
use std::time::Duration;

use daebus::prelude::*;
use daebus_tests::{Process, RedisServer, eventually, example};

fn slow_service() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slow_service"));
    for variable in ["DAEBUS_URL", "NOTIFY_SOCKET", "INVOCATION_ID", "RUST_LOG", "DAEBUS_LOG_FORMAT"] {
        command.env_remove(variable);
    }
    command
}

async fn started(redis: &RedisServer) -> (Process, Caller) {
    let process = Process::start(slow_service().env("DAEBUS_URL", redis.url()));
    process.line("slow_service is ready");
    let caller = Caller::connect(&redis.url(), "slow_service").await.unwrap();
    (process, caller)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_lets_finish_what_runs_and_exits_with_0() {
    for signal in ["TERM", "INT"] {
        let redis = RedisServer::start();
        let (mut process, caller) = started(&redis).await;
        let running = caller.send_request::<u64>("slow", 700).spawn();
        process.line("slow begins");
        process.signal(signal);
        process.line("draining");
        // The channel is left, or the service says why it doesn't run this.
        eventually("it takes nothing more", async || match caller.send_request::<u64>("slow", 0).await {
            Err(error) if error.is_not_run() => true,
            Ok(_) => false,
            Err(error) => panic!("{error:?}"),
        })
        .await;
        assert_eq!(running.await.unwrap(), 700);
        assert_eq!(process.wait().code(), Some(0), "{}", process.said());
        process.line("on_stop ran");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_drains_all_services_of_a_process() {
    let redis = RedisServer::start();
    let mut command = Command::new(env!("CARGO_BIN_EXE_two_services"));
    for variable in ["NOTIFY_SOCKET", "INVOCATION_ID", "RUST_LOG", "DAEBUS_LOG_FORMAT"] {
        command.env_remove(variable);
    }
    let mut process = Process::start(command.env("DAEBUS_URL", redis.url()));
    process.line("users is ready");
    process.line("orders is ready");
    let running = ["users", "orders"].map(|name| {
        let url = redis.url();
        tokio::spawn(async move {
            let caller = Caller::connect(&url, name).await.unwrap();
            caller.send_request::<u64>("slow", 700).await
        })
    });
    let (next, _) = process.line_from(0, "slow begins");
    process.line_from(next, "slow begins");
    process.signal("TERM");
    process.line("draining");
    for call in running {
        assert_eq!(call.await.unwrap().unwrap(), 700);
    }
    assert_eq!(process.wait().code(), Some(0), "{}", process.said());
    process.line("users is stopping");
    process.line("orders is stopping");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_it_at_once() {
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let redis = RedisServer::start();
        let (mut process, caller) = started(&redis).await;
        let running = caller.send_request::<u64>("slow", 60_000).spawn();
        process.line("slow begins");
        process.signal(signal);
        process.line("draining");
        assert!(process.is_running());
        process.signal(signal);
        assert_eq!(process.wait().code(), Some(code), "{}", process.said());
        running.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn my_service_ends_with_0_on_sigterm() {
    let redis = RedisServer::start();
    let mut process = Process::start(example("my_service").env("DAEBUS_URL", redis.url()));
    process.line("my_service is ready");
    process.signal("TERM");
    assert_eq!(process.wait().code(), Some(0), "{}", process.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_while_it_waits_for_redis_ends_it_with_0() {
    let redis = RedisServer::not_started(&[]);
    let mut process = Process::start(slow_service().env("DAEBUS_URL", redis.url()));
    process.line("WARN");
    process.signal("TERM");
    assert_eq!(process.wait().code(), Some(0), "{}", process.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_is_not_there_yet_is_waited_for_and_said_once() {
    let mut redis = RedisServer::not_started(&[]);
    let process = Process::start(slow_service().env("DAEBUS_URL", redis.url()));
    let warning = process.line("WARN");
    assert!(warning.contains(&redis.url()), "{warning}");
    // Long enough for several attempts, each of which might have said it again.
    std::thread::sleep(Duration::from_millis(700));
    redis.run();
    process.line("slow_service is ready");
    let said = process.said();
    assert_eq!(said.matches("WARN").count(), 1, "{said}");
    let caller = Caller::connect(&redis.url(), "slow_service").await.unwrap();
    assert_eq!(caller.send_request::<u64>("slow", 1).await.unwrap(), 1);
}

#[test]
fn a_wrong_password_ends_it_with_1_and_is_not_shown() {
    let redis = RedisServer::start_with(&["--requirepass", "right"]);
    let url = format!("redis://:wr0ng@127.0.0.1:{}", redis.port());
    for url in [url, redis.url()] {
        let mut process = Process::start(slow_service().env("DAEBUS_URL", url));
        assert_eq!(process.wait().code(), Some(1), "{}", process.said());
        let said = process.line("refused");
        assert!(said.contains(&redis.port().to_string()), "{said}");
        assert!(!process.said().contains("wr0ng"), "{}", process.said());
    }
}

#[test]
fn a_url_that_cannot_be_used_ends_it_with_1() {
    let mut process = Process::start(slow_service().env("DAEBUS_URL", "http://localhost"));
    assert_eq!(process.wait().code(), Some(1), "{}", process.said());
    process.line("redis://127.0.0.1:6379");
}

#[test]
fn a_daemon_without_a_bus_is_a_mistake() {
    for variable in ["INVOCATION_ID", "NOTIFY_SOCKET"] {
        let mut process = Process::start(slow_service().env(variable, "x"));
        assert_eq!(process.wait().code(), Some(1), "{}", process.said());
        process.line("DAEBUS_URL");
    }
}

#[test]
fn without_a_bus_it_runs_alone_and_says_so() {
    let mut process = Process::start(&mut slow_service());
    process.line("no bus is configured");
    process.line("slow_service is ready");
    process.signal("TERM");
    assert_eq!(process.wait().code(), Some(0), "{}", process.said());
}
