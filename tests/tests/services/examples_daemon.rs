//! The examples with schedules and threads, each run as it stands.

use daebus::prelude::*;
use daebus_tests::{Process, PythonCaller, RedisServer, eventually, example, within};

fn start(name: &str, redis: &RedisServer) -> Process {
    Process::start(example(name).env("DAEBUS_URL", redis.url()))
}

/// The next message of a channel.
async fn heard(messages: &mut daebus::Listening<Value>) -> Value {
    within(messages.next()).await.expect("the bus is there")
}

/// An untyped caller, and what it hears on a channel; confirmed before the service is there to speak.
async fn listener(redis: &RedisServer, service: &str, channel: &str) -> (Caller, daebus::Listening<Value>) {
    let caller = Caller::connect(&redis.url(), service).await.unwrap();
    let messages = caller.listen(channel).await.unwrap();
    (caller, messages)
}

async fn call(caller: &Caller, action: &str, payload: Value) -> Value {
    caller.send_request(action, payload).await.unwrap_or_else(|error| panic!("{action}: {error}"))
}

#[tokio::test]
async fn my_service_broadcasts_its_health() {
    let redis = RedisServer::start();
    let (_caller, mut status) = listener(&redis, "my_service", "system_status").await;
    let service = start("my_service", &redis);
    assert_eq!(heard(&mut status).await, json!({"status": "healthy"}));
    service.line("running the health check");
    service.line(r#"background "health_check" (every 30s)"#);
}

#[tokio::test]
async fn background_service_checks_its_health_at_the_interval_that_was_set() {
    let redis = RedisServer::start();
    let (_caller, mut status) = listener(&redis, "background-service", "system_status").await;
    let mut service = Process::start(
        example("background_service").env("DAEBUS_URL", redis.url()).env("HEALTH_CHECK_EVERY", "0.1"),
    );
    for _ in 0..3 {
        assert_eq!(heard(&mut status).await, json!({"status": "healthy"}));
    }
    service.line("Health check sent, receivers: 1");
    service.line("Periodic task completed");
    service.signal("TERM");
    assert_eq!(service.wait().code(), Some(0), "{}", service.said());
}

#[test]
fn background_service_refuses_an_interval_that_is_none() {
    let redis = RedisServer::start();
    let mut service = Process::start(
        example("background_service").env("DAEBUS_URL", redis.url()).env("HEALTH_CHECK_EVERY", "soon"),
    );
    assert_eq!(service.wait().code(), Some(1), "{}", service.said());
    service.line("background-service didn't start");
    service.line("HEALTH_CHECK_EVERY=soon is not a positive number of seconds; write HEALTH_CHECK_EVERY=60 for example");
}

#[test]
fn a_wrong_variable_is_reported_with_its_value_and_an_example() {
    for (name, variable, value, expected) in [
        (
            "hello_service",
            "DAEBUS_URL",
            "redis://here:port",
            "DAEBUS_URL: the bus URL \"redis://here:***\" can't be used: invalid port number; write redis://127.0.0.1:6379 for example",
        ),
        (
            "kiosk",
            "DAEBUS_HTTP",
            "everywhere",
            "DAEBUS_HTTP=everywhere is not an address; write DAEBUS_HTTP=127.0.0.1:8080 for example",
        ),
        (
            "metrics_service",
            "METRICS_EVERY",
            "0",
            "METRICS_EVERY=0 is not a positive number of seconds; write METRICS_EVERY=60 for example",
        ),
    ] {
        let mut service = Process::start(example(name).env(variable, value));
        assert_eq!(service.wait().code(), Some(1), "{}", service.said());
        service.line(expected);
    }
}

#[tokio::test]
async fn long_running_works_until_it_is_stopped_and_again_when_it_is_started() {
    let redis = RedisServer::start();
    let mut service = start("long_running", &redis);
    service.line("long_running is ready");
    service.line("Background processor started");
    let caller = Caller::connect(&redis.url(), "long_running").await.unwrap();

    for text in ["one two three", "", "four"] {
        call(&caller, "submit", json!(text)).await;
    }
    eventually("everything is processed", async || call(&caller, "processed", json!({})).await == 3).await;
    service.line(r#"Processed "one two three": 3 words"#);
    service.line("Error in background processor: the text is empty");

    call(&caller, "stop", json!({})).await;
    service.line("Background processor stopped");
    call(&caller, "submit", json!("five")).await;
    assert_eq!(call(&caller, "processed", json!({})).await, 3);

    let mark = service.mark();
    call(&caller, "start", json!({})).await;
    service.line_from(mark, "Background processor started");
    eventually("the rest is processed", async || call(&caller, "processed", json!({})).await == 4).await;

    let mark = service.mark();
    service.signal("TERM");
    assert_eq!(service.wait().code(), Some(0), "{}", service.said());
    service.line_from(mark, "Background processor stopped");
}

#[tokio::test]
async fn scheduler_does_as_it_is_told() {
    let redis = RedisServer::start();
    let (caller, mut polled) = listener(&redis, "scheduler", "polled").await;
    let mut clock = caller.listen::<Value>("clock").await.unwrap();
    let mut reports = caller.listen::<Value>("reports").await.unwrap();
    let mut reminders = caller.listen::<Value>("reminders").await.unwrap();
    let service = start("scheduler", &redis);
    service.line("scheduler is ready");

    // The first is the immediate one, the second would come in a minute.
    heard(&mut polled).await;
    call(&caller, "set_interval", json!({"name": "poll", "seconds": 0.05})).await;
    heard(&mut polled).await;
    heard(&mut polled).await;
    call(&caller, "pause", json!({"name": "poll"})).await;
    assert_eq!(schedule(&caller, "poll").await["paused"], true);
    call(&caller, "resume", json!({"name": "poll"})).await;
    heard(&mut polled).await;

    heard(&mut clock).await;
    call(&caller, "run_now", json!({"name": "report"})).await;
    assert_eq!(heard(&mut reports).await, json!({"title": "the report of today"}));
    // Six in Amsterdam is five in UTC, or four in summer.
    let report = schedule(&caller, "report").await;
    let next = report["next_run"].as_str().unwrap();
    assert!(next.ends_with("T05:00:00Z") || next.ends_with("T04:00:00Z"), "{report}");

    call(&caller, "remind_me", json!({"text": "tea", "after": 0.05})).await;
    assert_eq!(heard(&mut reminders).await, json!({"text": "tea"}));

    let mut python = PythonCaller::of("scheduler", &redis);
    let (answer, _) = python.request("set_interval", &json!({"name": "pol", "seconds": 5}));
    let words = answer.unwrap_err();
    assert!(words.contains(r#"no schedule is named "pol""#) && words.contains(r#""report""#), "{words}");
    let (answer, _) = python.request("set_interval", &json!({"name": "poll", "seconds": -1}));
    assert!(answer.unwrap_err().contains("negative"));
}

async fn schedule(caller: &Caller, name: &str) -> Value {
    let schedules = call(caller, "schedules", json!({})).await;
    let named = schedules.as_array().unwrap().iter().find(|schedule| schedule["name"] == name);
    named.unwrap_or_else(|| panic!("{name} isn't in {schedules}")).clone()
}
