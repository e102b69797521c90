//! Calls that are answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use daebus_caller::caller::deadline::{self, Deadline};
use daebus_caller::caller::trace;
use daebus_caller::wire::TraceContext;
use daebus_caller::{CallError, Caller, Fault, Retry};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Ground, Service, echo, silence, success};

pub(crate) async fn an_answer_is_read_as_what_is_asked_for(ground: Ground) {
    #[derive(Deserialize, PartialEq, Debug)]
    struct User {
        id: u64,
        name: String,
    }
    let _service = Service::start(&ground.service, "svc", echo).await;
    let caller = Caller::connect(&ground.url, "svc").await.unwrap();
    let asked = async {
        let value: Value = caller.send_request("get", json!({"id": 7, "name": "Ada"})).await?;
        Ok::<_, CallError>(value)
    };
    assert_eq!(asked.await.unwrap(), json!({"id": 7, "name": "Ada"}));
    let user: User = caller.send_request("get", json!({"id": 7, "name": "Ada"})).await.unwrap();
    assert_eq!(user, User { id: 7, name: "Ada".into() });
    assert_eq!(caller.in_flight(), 0);
}

pub(crate) async fn an_answer_of_type_unit_accepts_anything(ground: Ground) {
    let _service = Service::start(&ground.service, "svc", echo).await;
    let caller = Caller::on_bus(ground.caller, "svc").unwrap();
    for payload in [json!({}), json!(null), json!([1]), json!({"x": 1})] {
        caller.send_request::<()>("do", payload).await.unwrap();
    }
}

pub(crate) async fn the_request_says_what_the_protocol_wants(ground: Ground) {
    let mut service = Service::start(&ground.service, "svc", echo).await;
    let caller = Caller::on_bus(ground.caller, "svc").unwrap();
    let _: Value = caller.send_request("get", json!({"id": 7})).header("tenant", "a").await.unwrap();
    let request = service.next().await;
    assert_eq!(request["action"], "get");
    assert_eq!(request["payload"], json!({"id": 7}));
    assert_eq!(request["service"], "svc");
    assert_eq!(request["headers"], json!({"tenant": "a"}));
    assert!(request["reply_to"].as_str().unwrap().starts_with("caller:"), "{request}");
    assert!(request["request_id"].as_str().is_some_and(|id| id.len() >= 18), "{request}");
    let budget = request["timeout_ms"].as_u64().unwrap();
    assert!((4000..=5000).contains(&budget), "{budget}");
    assert_eq!(request["accepts"], json!(["batch"]));

    let _: Value = caller.send_request("get", json!({})).await.unwrap();
    assert!(service.next().await.get("headers").is_none());
}

pub(crate) async fn concurrent_calls_get_their_own_answers(ground: Ground) {
    // Answered in an order of their own, so that ids are what tells them apart.
    let _service = Service::start_slow(&ground.service, "svc", |request| async move {
        let n = request["payload"]["n"].as_u64().unwrap();
        tokio::time::sleep(Duration::from_millis(n * 7 % 40)).await;
        echo(&request)
    })
    .await;
    let caller = Caller::on_bus(ground.caller, "svc").unwrap();
    let jobs: Vec<_> =
        (0..256).map(|n| caller.send_request::<Value>("get", json!({"n": n})).spawn()).collect();
    for (n, job) in jobs.into_iter().enumerate() {
        assert_eq!(job.await.unwrap(), json!({"n": n}));
    }
    assert_eq!(caller.in_flight(), 0);
}

pub(crate) async fn callers_of_other_services_share_the_inbox(ground: Ground) {
    let mut one = Service::start(&ground.service, "one", echo).await;
    let mut two = Service::start(&ground.service, "two", echo).await;
    let caller = Caller::on_bus(ground.caller, "one").unwrap();
    let other = caller.to("two");
    assert_eq!((caller.service(), other.service()), ("one", "two"));
    let _: Value = caller.send_request("x", ()).await.unwrap();
    let _: Value = other.send_request("y", ()).await.unwrap();
    let (first, second) = (one.next().await, two.next().await);
    assert_eq!(first["reply_to"], second["reply_to"]);
    assert_eq!((&first["action"], &second["action"]), (&json!("x"), &json!("y")));
}

pub(crate) async fn a_call_is_made_when_it_is_awaited_and_not_before(ground: Ground) {
    let mut service = Service::start(&ground.service, "svc", echo).await;
    let caller = Caller::on_bus(ground.caller, "svc").unwrap();
    drop(caller.send_request::<Value>("never", ()));
    drop(caller.send_request::<Value>("never", ()).progress());
    let _: Value = caller.send_request("now", ()).await.unwrap();
    assert_eq!(service.next().await["action"], "now");
}

pub(crate) async fn a_call_waits_no_longer_than_the_handler_around_it(ground: Ground) {
    let mut service = Service::start(&ground.service, "svc", silence).await;
    let caller = Caller::on_bus(ground.caller, "svc").unwrap();
    let budget = Duration::from_millis(120);
    let error =
        deadline::scope(Deadline::after(budget), async { caller.send_request::<Value>("get", ()).await })
            .await
            .unwrap_err();
    assert!(matches!(error, CallError::Timeout { after, .. } if after <= budget), "{error}");
    assert!(service.next().await["timeout_ms"].as_u64().unwrap() <= 120);

    let made_outside = caller.send_request::<Value>("get", ());
    let error = deadline::scope(Deadline::after(budget), async { made_outside.await }).await.unwrap_err();
    assert!(matches!(error, CallError::Timeout { after, .. } if after <= budget), "{error}");
    assert!(service.next().await["timeout_ms"].as_u64().unwrap() <= 120);

    // A task that is spawned from a handler doesn't inherit its deadline, but the call does.
    let job =
        deadline::sync_scope(Deadline::after(budget), || caller.send_request::<Value>("get", ()).spawn());
    assert!(matches!(job.await, Err(CallError::Timeout { after, .. }) if after <= budget));

    let spent = deadline::scope(Deadline::after(Duration::ZERO), async {
        caller.send_request::<Value>("get", ()).await
    });
    assert!(matches!(spent.await, Err(CallError::Timeout { .. })));
    // A budget that is spent isn't worth a message: after the job's request comes the next thing that is sent.
    caller.send_to_service((), Some("last")).await.unwrap();
    assert_eq!(service.next().await["action"], "get");
    assert_eq!(service.next().await["action"], "last");
}

pub(crate) async fn a_call_carries_the_trace_of_the_handler_around_it(ground: Ground) {
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let mut service = Service::start(&ground.service, "svc", echo).await;
    let caller = Caller::on_bus(ground.caller, "svc").unwrap();
    let surrounding = || TraceContext::new(traceparent, Some("rojo=1")).map(Arc::new);
    let both = json!({"traceparent": traceparent, "tracestate": "rojo=1"});

    let call = || caller.send_request::<Value>("get", ());
    trace::scope(surrounding(), async { call().await }).await.unwrap();
    assert_eq!(service.next().await["headers"], both);
    trace::scope(surrounding(), async { call().header("tenant", "a").await }).await.unwrap();
    let with_tenant = json!({"tenant": "a", "traceparent": traceparent, "tracestate": "rojo=1"});
    assert_eq!(service.next().await["headers"], with_tenant);
    // A task that is spawned from a handler doesn't inherit its trace, but the call does.
    trace::sync_scope(surrounding(), || call().spawn()).await.unwrap();
    assert_eq!(service.next().await["headers"], both);
    // A header that is set on the call wins.
    trace::scope(surrounding(), async { call().header("traceparent", "mine").await }).await.unwrap();
    assert_eq!(service.next().await["headers"], json!({"traceparent": "mine"}));
    // A handler whose own request has no trace has none, whatever surrounds it.
    let untraced = trace::scope(None, async { call().await });
    trace::scope(surrounding(), untraced).await.unwrap();
    assert_eq!(service.next().await["headers"], Value::Null);
    call().await.unwrap();
    assert_eq!(service.next().await["headers"], Value::Null);
}

pub(crate) async fn a_job_runs_in_the_background(ground: Ground) {
    let mut service = Service::start(&ground.service, "svc", echo).await;
    let caller = Caller::on_bus(ground.caller, "svc").unwrap();
    let job = caller.send_request::<Value>("get", json!({"n": 1})).spawn();
    service.next().await;
    assert_eq!(job.await.unwrap(), json!({"n": 1}));
}

pub(crate) async fn retries_stop_at_the_first_answer(ground: Ground) {
    let tries = Arc::new(AtomicU32::new(0));
    let _service = Service::start(&ground.service, "svc", {
        let tries = tries.clone();
        move |request| match tries.fetch_add(1, Ordering::Relaxed) {
            0 => vec![refusal("overloaded")],
            1 => vec![refusal("shutting_down")],
            _ => echo(request),
        }
    })
    .await;
    let caller = Caller::on_bus(ground.caller, "svc").unwrap();
    let retry = Retry::attempts(3).backoff(Duration::from_millis(5));
    let answer: Value = caller.send_request("get", json!({"n": 1})).retry(retry).await.unwrap();
    assert_eq!((answer, tries.load(Ordering::Relaxed)), (json!({"n": 1}), 3));

    tries.store(0, Ordering::Relaxed);
    let error = caller.send_request::<Value>("get", ()).retry(2).await.unwrap_err();
    assert!(matches!(&error, CallError::Fault(fault) if fault.code() == Some("shutting_down")), "{error}");
}

pub(crate) async fn retries_leave_alone_what_may_have_run(ground: Ground) {
    let mut service = Service::start(&ground.service, "svc", |_| vec![error_reply("internal")]).await;
    let caller = Caller::on_bus(ground.caller, "svc").unwrap();
    let failed = caller.send_request::<Value>("get", ()).retry(5).await;
    assert!(matches!(failed, Err(CallError::Fault(_))));
    service.next().await;
    let _ = caller.send_request::<Value>("last", ()).await;
    assert_eq!(service.next().await["action"], "last");
}

/// A handler may forward the fault of another service, whose refusal says nothing about the handler itself.
pub(crate) async fn retries_leave_alone_a_forwarded_refusal(ground: Ground) {
    let mut service = Service::start(&ground.service, "svc", |request| {
        let mut reply = error_reply("overloaded");
        // As part of the payload it isn't the framework's mark.
        reply["payload"]["refused"] = json!(true);
        if request["action"] == "last" { echo(request) } else { vec![reply] }
    })
    .await;
    let caller = Caller::on_bus(ground.caller, "svc").unwrap();
    let error = caller.send_request::<Value>("get", ()).retry(3).await.unwrap_err();
    assert!(matches!(&error, CallError::Fault(fault) if fault.code() == Some("overloaded")), "{error:?}");
    assert!(!error.is_not_run());
    let _: Value = caller.send_request("last", ()).await.unwrap();
    assert_eq!(service.next().await["action"], "get");
    assert_eq!(service.next().await["action"], "last", "the request was sent once");
}

fn refusal(code: &'static str) -> Value {
    let mut reply = error_reply(code);
    reply["refused"] = json!(true);
    reply
}

fn error_reply(code: &'static str) -> Value {
    let fault: Value = serde_json::from_str(Fault::new(code, "no").to_payload().as_str()).unwrap();
    let mut reply = success(&fault);
    reply["status"] = json!("error");
    reply
}
