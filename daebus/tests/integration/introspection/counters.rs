//! `$stats`: the counters match the requests, and the built-in actions are not subject to limits.

#![allow(clippy::unwrap_used, clippy::expect_used)] // clippy's own exception ends at the test functions

use std::sync::Arc;

use daebus::prelude::*;
use daebus_tests_support::{eventually, within};
use tokio::sync::{Semaphore, mpsc};

/// Reports that a handler has begun, and blocks it until it is released.
#[derive(Clone)]
struct Gate {
    began: mpsc::UnboundedSender<()>,
    open: Arc<Semaphore>,
}

impl Gate {
    fn closed() -> (Self, mpsc::UnboundedReceiver<()>) {
        let (began, receiver) = mpsc::unbounded_channel();
        (Self { began, open: Arc::new(Semaphore::new(0)) }, receiver)
    }
}

/// Ends as its payload requests.
#[action("work")]
async fn work(Payload(how): Payload<String>, State(gate): State<Gate>) -> Result<String, Fault> {
    match how.as_str() {
        "succeed" => Ok(how),
        "fail" => Err(Fault::new("refused_by_test", "as was asked for")),
        "panic" => panic!("a secret"),
        "hang" => std::future::pending().await,
        _ => {
            gate.began.send(()).unwrap();
            gate.open.acquire().await.unwrap().forget();
            Ok(how)
        }
    }
}

#[listen("events")]
async fn receive(Payload(_): Payload<u32>, State(gate): State<Gate>) {
    gate.began.send(()).unwrap();
    gate.open.acquire().await.unwrap().forget();
}

fn app(bus: &str, gate: &Gate) -> Daebus {
    let bus = format!("memory://{bus}");
    Daebus::new("svc").bus(bus).state(gate.clone()).register(blueprint_of!["b"; work, receive])
}

async fn get(caller: &Caller, action: &str) -> Value {
    within(caller.send_request::<Value>(action, ()).into_future()).await.unwrap()
}

async fn stats(caller: &Caller) -> Value {
    get(caller, "$stats").await
}

fn handler(stats: &Value, name: &str) -> Value {
    let handlers = stats["handlers"].as_array().unwrap();
    handlers.iter().find(|handler| handler["name"] == name).cloned().unwrap()
}

fn ask(caller: &Caller, how: &str) -> Call<String> {
    caller.send_request::<String>("work", how)
}

#[tokio::test]
async fn the_counters_match_the_requests() -> Result<(), BoxError> {
    let (gate, mut begun) = Gate::closed();
    let service = app("counters", &gate).start().await?;
    let caller = service.callers().to("svc");
    let fresh = stats(&caller).await;
    let untouched = handler(&fresh, "work");
    assert_eq!((&untouched["num_requests"], &untouched["last_error"]), (&json!(0), &Value::Null));
    assert_eq!(untouched["p99_processing_time"], 0);

    for _ in 0..5 {
        ask(&caller, "succeed").await?;
    }
    for _ in 0..3 {
        ask(&caller, "fail").await.unwrap_err();
    }
    ask(&caller, "panic").await.unwrap_err();
    let error = ask(&caller, "hang").timeout(Duration::from_millis(50)).await.unwrap_err();
    assert!(matches!(error, CallError::Timeout { .. } | CallError::Fault(_)), "{error}");
    eventually("the run timed out", async || handler(&stats(&caller).await, "work")["num_timeouts"] == 1)
        .await;
    // A dropped call is cancelled in the service.
    let job = ask(&caller, "wait").spawn();
    within(begun.recv()).await;
    assert_eq!(handler(&stats(&caller).await, "work")["in_flight"], 1);
    job.abort();
    eventually("it was cancelled", async || handler(&stats(&caller).await, "work")["num_cancelled"] == 1)
        .await;
    caller.send_request::<Value>("no_such_action", ()).await.unwrap_err();

    let stats = stats(&caller).await;
    assert_eq!(stats["type"], "daebus.v1.stats_response");
    assert!(stats["uptime_seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), "{stats}");
    // On the instance's channel, and then on the service's own: another process may have the action.
    assert_eq!(stats["refused"], json!({"unknown_action": 2}));
    assert_eq!(stats["queues"], json!({"intake": 0, "backlog": 0, "refusals": 0}));
    let none = json!({"intake": 0, "listeners": 0, "refusals": 0, "replies": 0, "bus": 0});
    assert_eq!(stats["dropped"], none);
    let work = handler(&stats, "work");
    assert_eq!(
        (&work["kind"], &work["num_requests"], &work["in_flight"]),
        (&json!("action"), &json!(11), &json!(0))
    );
    assert_eq!((&work["num_errors"], &work["num_panics"]), (&json!(5), &json!(1)));
    assert_eq!(work["last_error"]["code"], "deadline_exceeded");
    assert!(work["last_error"]["at"].as_str().is_some_and(|at| at.ends_with('Z')), "{work}");
    let [total, mean, p99] = ["processing_time", "average_processing_time", "p99_processing_time"]
        .map(|name| work[name].as_u64().unwrap());
    assert!(mean == total / 11 && p99 > 45_000_000 && total > 50_000_000, "{work}");
    assert!(!stats.to_string().contains("a secret"), "the reason of an internal error is in the log only");
    assert_eq!(handler(&stats, "events")["num_requests"], 0);
    Ok(service.stop().await?)
}

#[tokio::test]
async fn a_service_at_its_limits_answers_built_in_actions_and_counts_refusals() -> Result<(), BoxError> {
    let (gate, mut begun) = Gate::closed();
    let service = app("counters-full", &gate).concurrency(1).backlog(1).start().await?;
    let caller = service.callers().to("svc");
    let running = ask(&caller, "wait").spawn();
    within(begun.recv()).await;
    let waiting = ask(&caller, "wait").spawn();
    eventually("one waits", async || stats(&caller).await["queues"]["backlog"] == 1).await;
    for _ in 0..3 {
        let error = ask(&caller, "succeed").await.unwrap_err();
        assert!(matches!(&error, CallError::Fault(fault) if fault.code() == Some("overloaded")), "{error}");
    }
    let stats = stats(&caller).await;
    assert_eq!(stats["refused"], json!({"overloaded": 3}));
    let work = handler(&stats, "work");
    assert_eq!((&work["num_requests"], &work["in_flight"]), (&json!(0), &json!(2)), "refusals are not runs");
    assert_eq!(get(&caller, "$ping").await["service"], "svc");
    assert_eq!(get(&caller, "$info").await["service"], "svc");
    gate.open.add_permits(2);
    within(running).await?;
    within(waiting).await?;
    Ok(service.stop().await?)
}

#[tokio::test]
async fn a_draining_service_answers_built_in_actions() -> Result<(), BoxError> {
    let (gate, mut begun) = Gate::closed();
    let service = app("counters-drain", &gate).start().await?;
    let caller = Caller::connect("memory://counters-drain", "svc").await?;
    let running = ask(&caller, "wait").spawn();
    within(begun.recv()).await;
    let stopping = tokio::spawn(service.stop());
    eventually("requests are refused", async || ask(&caller, "succeed").await.is_err()).await;
    assert_eq!(get(&caller, "$ping").await["service"], "svc");
    assert!(stats(&caller).await["refused"]["shutting_down"].as_u64() >= Some(1));
    gate.open.add_permits(1);
    within(running).await?;
    within(stopping).await??;
    caller.close().await;
    Ok(())
}

#[tokio::test]
async fn the_queue_of_a_listener_and_its_drops_are_reported() -> Result<(), BoxError> {
    let (gate, mut begun) = Gate::closed();
    let service = app("counters-listener", &gate).listener_queue(300).start().await?;
    let caller = service.callers().to("svc");
    caller.send_message("events", 0).await?;
    within(begun.recv()).await;
    // Two messages fit into 300 bytes.
    for n in 1..=5 {
        caller.send_message("events", n).await?;
    }
    let report = stats(&caller).await;
    assert_eq!(handler(&report, "events")["queue"], json!({"length": 2, "dropped": 3}));
    assert_eq!(report["dropped"]["listeners"], 3);
    gate.open.add_permits(3);
    eventually("all messages are handled", async || {
        handler(&stats(&caller).await, "events")["num_requests"] == 3
    })
    .await;
    assert_eq!(handler(&stats(&caller).await, "events")["queue"], json!({"length": 0, "dropped": 3}));
    Ok(service.stop().await?)
}

#[tokio::test]
async fn a_request_that_expires_in_the_backlog_is_not_a_run() -> Result<(), BoxError> {
    let (gate, mut begun) = Gate::closed();
    let service = app("counters-expired", &gate).concurrency(1).start().await?;
    let caller = service.callers().to("svc");
    let running = ask(&caller, "wait").spawn();
    within(begun.recv()).await;
    ask(&caller, "succeed").timeout(Duration::from_millis(30)).await.unwrap_err();
    eventually("it has expired", async || handler(&stats(&caller).await, "work")["num_expired"] == 1).await;
    let work = handler(&stats(&caller).await, "work");
    assert_eq!((&work["num_requests"], &work["num_errors"]), (&json!(0), &json!(0)));
    gate.open.add_permits(1);
    within(running).await?;
    Ok(service.stop().await?)
}
