//! Replies to valid and invalid requests, on the in-process bus.

#![allow(clippy::unwrap_used, clippy::expect_used)] // clippy's own exception ends at the test functions

use std::future::{IntoFuture, pending};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use daebus::Service;
use daebus::caller::bus::{self, Bus, BusUrl, Message, Topic};
use daebus::prelude::*;
use daebus_tests_support::{next, within};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

async fn echo(Payload(value): Payload<Value>) -> Json<Value> {
    Json(value)
}

async fn panics() {
    panic!("on purpose");
}

async fn hangs() {
    pending::<()>().await;
}

/// Blocks handlers until it is opened, and counts them.
#[derive(Clone)]
struct Door {
    open: Arc<Semaphore>,
    came: mpsc::UnboundedSender<()>,
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Door {
    fn new() -> (Self, mpsc::UnboundedReceiver<()>) {
        let (came, arrivals) = mpsc::unbounded_channel();
        (
            Self { open: Arc::new(Semaphore::new(0)), came, now: Arc::default(), most: Arc::default() },
            arrivals,
        )
    }

    async fn pass(&self) {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        let _ = self.came.send(());
        self.open.acquire().await.unwrap().forget();
        self.now.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn waits(State(door): State<Door>) -> Json<&'static str> {
    door.pass().await;
    Json("through")
}

fn app(bus: &str) -> Daebus {
    Daebus::new("svc").bus(format!("memory://{bus}"))
}

async fn call(service: &Service, action: &str) -> Result<Value, CallError> {
    service.callers().to("svc").send_request(action, json!({})).await
}

fn code(error: &CallError) -> Option<&str> {
    match error {
        CallError::Fault(fault) | CallError::Service(fault) => fault.code(),
        _ => None,
    }
}

#[tokio::test]
async fn a_panic_is_answered_with_internal_and_the_service_continues() -> Result<(), BoxError> {
    let service = app("panic")
        .register(Blueprint::new("b").action("echo", echo).action("panics", panics))
        .start()
        .await?;
    let error = call(&service, "panics").await.unwrap_err();
    assert_eq!(code(&error), Some("internal"));
    assert!(!error.to_string().contains("on purpose"), "the message of a panic is not sent: {error}");
    assert_eq!(call(&service, "echo").await?, json!({}));
    Ok(service.stop().await?)
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_hangs_is_ended_at_its_deadline() -> Result<(), BoxError> {
    let service = app("hang")
        .timeout(Duration::from_secs(60))
        .register(Blueprint::new("b").action("hangs", hangs))
        .start()
        .await?;
    let bus = bus::connect(&BusUrl::parse("memory://hang")?).await?;
    // Without `timeout_ms`, as from Python, the limit of the service applies.
    let reply = exchange(&*bus, br#"{"action": "hangs", "request_id": "1", "reply_to": "caller:x"}"#).await;
    assert_eq!(reply["payload"]["code"], "deadline_exceeded");
    assert_eq!(reply["request_id"], "1");
    Ok(service.stop().await?)
}

#[tokio::test]
async fn the_callers_budget_is_the_handlers_deadline() -> Result<(), BoxError> {
    async fn left(request: Request) -> Json<u128> {
        Json(request.remaining().unwrap().as_millis())
    }
    async fn nested(callers: Callers) -> Result<Value, BoxError> {
        Ok(callers.to("svc").send_request("left", ()).timeout(Duration::from_secs(3600)).await?)
    }
    let blueprint = Blueprint::new("b").action("left", left).action("nested", nested);
    let service = app("budget").register(blueprint).start().await?;
    let caller = service.callers().to("svc").timeout(Duration::from_secs(20));
    for action in ["left", "nested"] {
        let left: u64 = caller.send_request(action, ()).await?;
        assert!((15_000..=20_000).contains(&left), "{action}: {left} ms left of 20 s");
    }
    Ok(service.stop().await?)
}

#[tokio::test]
async fn requests_beyond_the_limits_are_answered_with_overloaded_and_not_run() -> Result<(), BoxError> {
    let (door, came) = Door::new();
    let service = app("overload")
        .concurrency(2)
        .backlog(3)
        .state(door.clone())
        .register(Blueprint::new("b").action("waits", waits))
        .start()
        .await?;
    let caller = service.callers().to("svc");
    let mut calls: FuturesUnordered<_> =
        (0..8).map(|_| caller.send_request::<String>("waits", ()).into_future()).collect();
    // Two run and three wait for the door, so every call that returns now was refused.
    for _ in 0..3 {
        let error = within(calls.next()).await.unwrap().unwrap_err();
        assert_eq!(code(&error), Some("overloaded"), "{error}");
        assert!(error.is_not_run());
    }
    door.open.add_permits(5);
    while let Some(answer) = within(calls.next()).await {
        assert_eq!(answer?, "through");
    }
    assert_eq!(came.len(), 5);
    assert_eq!(door.most.load(Ordering::SeqCst), 2, "no more than two ran at once");
    Ok(service.stop().await?)
}

#[tokio::test]
async fn only_a_refusal_of_the_framework_is_marked_as_not_run() -> Result<(), BoxError> {
    async fn forwards() -> Result<(), Fault> {
        Err(Fault::new("overloaded", "another service has too much to do"))
    }
    let (door, mut came) = Door::new();
    let blueprint =
        Blueprint::new("b").action("echo", echo).action("forwards", forwards).action("waits", waits);
    let service =
        app("refused").concurrency(1).backlog(0).state(door.clone()).register(blueprint).start().await?;
    let error = call(&service, "forwards").await.unwrap_err();
    assert_eq!((code(&error), error.is_not_run()), (Some("overloaded"), false), "{error}");

    let bus = bus::connect(&BusUrl::parse("memory://refused")?).await?;
    let request = |action: &str, payload: &[u8]| {
        let head =
            format!(r#"{{"action": "{action}", "request_id": "1", "reply_to": "caller:x", "payload": "#);
        [head.as_bytes(), payload, b"}"].concat()
    };
    for (action, payload, expected, refused) in [
        ("forwards", &b"{}"[..], "overloaded", Value::Null),
        ("echo", b"\"\xff\"", "invalid_payload", Value::Null),
        ("ecko", b"{}", "unknown_action", Value::Bool(true)),
    ] {
        let reply = exchange(&*bus, &request(action, payload)).await;
        assert_eq!((&reply["payload"]["code"], &reply["refused"]), (&json!(expected), &refused), "{reply}");
    }
    let running = service.callers().to("svc").send_request::<String>("waits", ()).spawn();
    next(&mut came).await;
    let reply = exchange(&*bus, &request("echo", b"{}")).await;
    assert_eq!(
        (&reply["payload"]["code"], &reply["refused"]),
        (&json!("overloaded"), &json!(true)),
        "{reply}"
    );
    let error = call(&service, "echo").await.unwrap_err();
    assert!(error.is_not_run(), "{error}");
    door.open.add_permits(1);
    assert_eq!(running.await?, "through");
    Ok(service.stop().await?)
}

#[tokio::test]
async fn a_dropped_call_cancels_the_handler() -> Result<(), BoxError> {
    struct SendOnDrop(mpsc::UnboundedSender<()>);
    impl Drop for SendOnDrop {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }
    async fn waits_and_reports(State(door): State<Door>, State(dropped): State<mpsc::UnboundedSender<()>>) {
        let _guard = SendOnDrop(dropped);
        door.pass().await;
    }
    let (door, mut came) = Door::new();
    let (sender, mut dropped) = mpsc::unbounded_channel::<()>();
    let service = app("cancel")
        .state(door)
        .state(sender)
        .register(Blueprint::new("b").action("waits", waits_and_reports))
        .start()
        .await?;
    let caller = service.callers().to("svc");
    let call = caller.send_request::<Value>("waits", ()).spawn();
    next(&mut came).await;
    call.abort();
    next(&mut dropped).await;
    assert_eq!(caller.in_flight(), 0);
    Ok(service.stop().await?)
}

#[tokio::test]
async fn a_stopping_service_drains_and_refuses_requests() -> Result<(), BoxError> {
    let (door, mut came) = Door::new();
    let service =
        app("drain").state(door.clone()).register(Blueprint::new("b").action("waits", waits)).start().await?;
    let caller = Caller::connect("memory://drain", "svc").await?;
    let running = caller.send_request::<String>("waits", ()).spawn();
    next(&mut came).await;
    let stopping = tokio::spawn(service.stop());
    // The service has left its channel, while running handlers continue.
    let late = loop {
        match caller.send_request::<String>("waits", ()).timeout(Duration::from_millis(50)).await {
            Err(CallError::Timeout { .. }) => {}
            other => break other,
        }
    };
    let late = late.unwrap_err();
    assert!(matches!(late, CallError::NoService { .. }) || code(&late) == Some("shutting_down"), "{late}");
    door.open.add_permits(16);
    assert_eq!(running.await?, "through");
    stopping.await??;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn handlers_that_outlast_the_drain_are_cut_off_and_named() -> Result<(), BoxError> {
    let service = app("cut")
        .drain(Duration::from_secs(3))
        .register(Blueprint::new("b").action("hangs", hangs))
        .start()
        .await?;
    let caller = Caller::connect("memory://cut", "svc").await?;
    let call = caller.send_request::<Value>("hangs", ()).timeout(Duration::from_secs(60)).spawn();
    tokio::task::yield_now().await;
    let error = service.stop().await.unwrap_err().to_string();
    assert!(error.contains("after 3s") && error.contains("1× integration::answer::hangs"), "{error}");
    let interrupted = call.await.unwrap_err();
    assert_eq!((code(&interrupted), interrupted.is_not_run()), (Some("interrupted"), false), "{interrupted}");
    Ok(())
}

#[tokio::test]
async fn an_unknown_action_is_reported_only_if_no_other_process_can_have_it() -> Result<(), BoxError> {
    let service = app("unknown").register(Blueprint::new("b").action("echo", echo)).start().await?;
    let error = call(&service, "ecko").await.unwrap_err();
    assert_eq!(code(&error), Some("unknown_action"));
    assert!(error.to_string().contains("svc") && error.to_string().contains("ecko"), "{error}");

    let bus = bus::connect(&BusUrl::parse("memory://unknown")?).await?;
    let other = bus.subscribe(Topic::Channel("svc".into()), Arc::new(|_: Message| {})).await?;
    let silence =
        service.callers().to("svc").send_request::<Value>("ecko", ()).timeout(Duration::from_millis(50));
    assert!(matches!(silence.await, Err(CallError::Timeout { .. })));
    drop(other);
    Ok(service.stop().await?)
}

#[tokio::test]
async fn invalid_requests_with_a_reply_address_are_answered() -> Result<(), BoxError> {
    let service = app("rubbish")
        .max_message(1 << 20)
        .register(Blueprint::new("b").action("echo", echo))
        .start()
        .await?;
    let bus = bus::connect(&BusUrl::parse("memory://rubbish")?).await?;
    for silent in [
        &b"not json"[..],
        b"[1]",
        b"{}",
        b"{\"action\": 7}",
        b"\xff\xfe",
        &"[".repeat(1 << 20).into_bytes(),
        b"",
    ] {
        bus.publish("svc", Bytes::copy_from_slice(silent)).await?;
    }
    let envelope = |payload: &[u8]| {
        let mut message =
            br#"{"action": "echo", "reply_to": "caller:x", "request_id": [7], "payload": "#.to_vec();
        message.extend_from_slice(payload);
        message.push(b'}');
        message
    };
    let brackets = ["[".repeat(100_000), "]".repeat(100_000)].concat().into_bytes();
    let large = format!("\"{}\"", "x".repeat(1 << 20)).into_bytes();
    for bad in [&brackets[..], b"\"\xff\"", &large] {
        let reply = exchange(&*bus, &envelope(bad)).await;
        assert_eq!(reply["status"], "error");
        assert_eq!(reply["payload"]["code"], "invalid_payload", "{reply}");
        assert_eq!(reply["request_id"], json!([7]));
    }
    let reply = exchange(&*bus, &envelope(b"[NaN, 1]")).await;
    assert_eq!((&reply["status"], &reply["payload"]), (&json!("success"), &json!([null, 1])));
    Ok(service.stop().await?)
}

/// Publishes these bytes as a request and waits for the reply on `caller:x`.
async fn exchange(bus: &dyn Bus, request: &[u8]) -> Value {
    let (replies, mut reply) = mpsc::unbounded_channel();
    let take = move |message: Message| replies.send(message.payload).unwrap();
    let _inbox = bus.subscribe(Topic::Channel("caller:x".into()), Arc::new(take)).await.unwrap();
    bus.publish("svc", Bytes::copy_from_slice(request)).await.unwrap();
    let reply = timeout(Duration::from_secs(600), reply.recv()).await.unwrap().unwrap();
    serde_json::from_slice(&reply).unwrap()
}

#[tokio::test]
async fn a_listener_handles_messages_in_order_and_continues_after_panics() -> Result<(), BoxError> {
    // Earlier messages take longer: concurrent runs would end in the wrong order.
    async fn receive(Payload(n): Payload<u32>, State(received): State<mpsc::UnboundedSender<u32>>) {
        for _ in n..100 {
            tokio::task::yield_now().await;
        }
        assert!(n != 13, "unlucky");
        received.send(n).unwrap();
    }
    let (sender, mut received) = mpsc::unbounded_channel::<u32>();
    let service =
        app("listen").state(sender).register(Blueprint::new("b").listen("n.*", receive)).start().await?;
    let caller = service.callers().to("svc");
    assert_eq!(caller.send_message("n.rubbish", "not a number").await?, 1);
    for n in 0..100 {
        assert_eq!(caller.send_message("n.x", n).await?, 1);
    }
    for n in (0..100).filter(|n| *n != 13) {
        assert_eq!(next(&mut received).await, n);
    }
    Ok(service.stop().await?)
}
