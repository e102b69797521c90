//! The caller for programs without a runtime, against services that need one.

#![cfg(feature = "blocking")]
#![allow(clippy::unwrap_used, clippy::expect_used)] // clippy's own exception ends at the test functions

use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use daebus_caller::blocking::Caller;
use daebus_caller::bus::{Bus, BusUrl, Message, Topic, connect};
use daebus_caller::{BusError, CallError};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(10);

/// Answers on `service`, from a runtime of its own, until it is dropped.
struct Service(Option<tokio::runtime::Runtime>);

impl Service {
    fn start(url: &str, service: &'static str) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let url = BusUrl::parse(url).unwrap();
        let subscription = runtime.block_on(async {
            let bus = connect(&url).await.unwrap();
            let answering = bus.clone();
            let spawner = tokio::runtime::Handle::current();
            let answer = move |message: Message| {
                let bus = answering.clone();
                spawner.spawn(async move { answer(&*bus, &message).await });
            };
            bus.subscribe(Topic::Channel(service.into()), std::sync::Arc::new(answer)).await.unwrap()
        });
        runtime.spawn(async move {
            let _subscription = subscription;
            std::future::pending::<()>().await;
        });
        Self(Some(runtime))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.0.take().unwrap().shutdown_background();
    }
}

async fn answer(bus: &dyn Bus, message: &Message) {
    let request: Value = serde_json::from_slice(&message.payload).unwrap();
    let Some(reply_to) = request["reply_to"].as_str() else { return };
    let reply = |status: &str, payload: Value, last: bool| {
        let id = &request["request_id"];
        let reply = json!({"status": status, "payload": payload, "request_id": id, "final": last});
        bus.publish(reply_to, reply.to_string().into())
    };
    match request["action"].as_str() {
        Some("echo") => drop(reply("success", request["payload"].clone(), true).await),
        Some("headers") => drop(reply("success", request["headers"].clone(), true).await),
        Some("fail") => drop(reply("error", json!({"error": "no luck", "code": "luck"}), true).await),
        Some("count") => {
            for n in 1..=3 {
                reply("progress", json!(n), false).await.unwrap();
            }
            reply("success", json!("counted"), true).await.unwrap();
        }
        _ => {}
    }
}

/// A service and a caller of it, on a bus of their own.
fn pair(name: &'static str) -> (Service, Caller) {
    let url = format!("memory://blocking-{name}");
    (Service::start(&url, name), Caller::connect(&url, name).unwrap())
}

#[test]
fn a_plain_thread_gets_answers_and_errors() {
    let (_service, caller) = pair("answers");
    assert_eq!(caller.service(), "answers");
    assert_eq!(caller.send_request::<Value>("echo", json!({"a": 1})).wait().unwrap(), json!({"a": 1}));
    let headers: Value = caller.send_request("headers", ()).header("tenant", "a").wait().unwrap();
    assert_eq!(headers["tenant"], "a");
    match caller.send_request::<Value>("fail", ()).wait() {
        Err(CallError::Service(fault)) => assert_eq!(fault.code(), Some("luck")),
        other => panic!("{other:?}"),
    }
    match caller.to("nobody").send_request::<Value>("echo", ()).wait() {
        Err(CallError::NoService { service }) => assert_eq!(service, "nobody"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn silence_ends_after_the_timeout() {
    let (_service, caller) = pair("silence");
    let started = Instant::now();
    let answer = caller.send_request::<Value>("silence", ()).timeout(Duration::from_millis(80)).wait();
    assert!(matches!(answer, Err(CallError::Timeout { .. })), "{answer:?}");
    assert!(started.elapsed() >= Duration::from_millis(80) && started.elapsed() < SOON);
    let patient = caller.timeout(Duration::from_millis(60));
    assert!(matches!(patient.send_request::<Value>("silence", ()).wait(), Err(CallError::Timeout { .. })));
}

#[test]
fn progress_is_told_on_the_waiting_thread() {
    let (_service, caller) = pair("progress");
    let here = std::thread::current().id();
    // Borrowed, not sent: the listener runs here.
    let mut heard = Vec::new();
    let call = caller.send_request::<String>("count", ()).on_progress(|update| {
        assert_eq!(std::thread::current().id(), here);
        heard.push(update);
    });
    assert_eq!(call.wait().unwrap(), "counted");
    assert_eq!(heard, [json!(1), json!(2), json!(3)]);
}

#[test]
fn messages_are_sent_and_heard() {
    let (_service, caller) = pair("messages");
    let mut heard = caller.listen::<Value>("news.*").unwrap();
    assert!(matches!(heard.next_timeout(Duration::from_millis(20)), Err(RecvTimeoutError::Timeout)));
    assert_eq!(caller.send_message("news.local", json!({"n": 1})).unwrap(), 1);
    assert_eq!(caller.send_message("news.local", json!({"n": 2})).unwrap(), 1);
    assert_eq!(heard.next_timeout(SOON).unwrap(), json!({"n": 1}));
    assert_eq!(heard.next(), Some(json!({"n": 2})));
    assert_eq!(caller.send_to_service(json!({"n": 3}), Some("log")).unwrap(), 1);
    assert!(matches!(caller.send_message("", json!({})), Err(BusError::Name(_))));
}

#[test]
fn closing_ends_those_who_wait_on_other_threads() {
    let (_service, caller) = pair("closing");
    let listening = {
        let heard = caller.listen::<Value>("nothing").unwrap();
        std::thread::spawn(move || heard.count())
    };
    let waiting = {
        let caller = caller.clone();
        std::thread::spawn(move || caller.send_request::<Value>("silence", ()).timeout(SOON * 6).wait())
    };
    let deadline = Instant::now() + SOON;
    while caller.caller().in_flight() == 0 {
        assert!(Instant::now() < deadline, "the call was not made");
        std::thread::yield_now();
    }
    caller.close();
    assert_eq!(listening.join().unwrap(), 0);
    assert!(matches!(waiting.join().unwrap(), Err(CallError::Closed)));
    assert!(matches!(caller.send_request::<Value>("echo", ()).wait(), Err(CallError::Closed)));
    assert!(matches!(caller.send_message("x", json!({})), Err(BusError::Closed)));
}

#[test]
fn many_threads_share_one() {
    let (_service, caller) = pair("many");
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            let caller = caller.clone();
            scope.spawn(move || {
                for n in 0..20 {
                    let sent = thread * 100 + n;
                    assert_eq!(caller.send_request::<u64>("echo", sent).wait().unwrap(), sent);
                }
            });
        }
    });
}

#[test]
fn whatever_can_be_awaited_can_be_waited_for() {
    let (_service, caller) = pair("wait");
    let call: daebus_caller::Call<u64> = caller.caller().send_request("echo", 7);
    assert_eq!(caller.wait(call).unwrap().unwrap(), 7);
    assert!(matches!(caller.wait(async { panic!("ours") }), Err::<(), _>(BusError::Closed)));
    assert_eq!(caller.wait(async { 5 }).unwrap(), 5);
}

#[test]
fn within_a_runtime_it_refuses_instead_of_blocking_or_panicking() {
    let (_service, caller) = pair("within");
    let mut heard = caller.listen::<Value>("within").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let refused = Caller::connect("memory://blocking-within", "within").unwrap_err();
        let words = refused.to_string();
        assert!(words.contains("use daebus_caller::Caller"), "{words}");
        let answer = caller.send_request::<Value>("echo", ()).wait();
        assert!(matches!(answer, Err(CallError::Bus(BusError::Blocking { .. }))), "{answer:?}");
        let answer = caller.send_request::<Value>("count", ()).on_progress(|_| {}).wait();
        assert!(matches!(answer, Err(CallError::Bus(BusError::Blocking { .. }))), "{answer:?}");
        assert!(matches!(heard.next_timeout(SOON), Err(RecvTimeoutError::Disconnected)));
        // Neither does dropping one here.
        drop(caller);
        drop(heard);
    });
}

#[test]
fn its_thread_ends_with_the_last_handle() {
    let (_service, caller) = pair("thread");
    let (alive, probe) = std::sync::mpsc::channel::<()>();
    let task = async move {
        let held = alive;
        std::future::pending::<()>().await;
        drop(held);
    };
    caller.wait(async { drop(tokio::spawn(task)) }).unwrap();
    let other = caller.to("other");
    drop(caller);
    assert_eq!(probe.try_recv(), Err(std::sync::mpsc::TryRecvError::Empty));
    drop(other);
    let ended = probe.recv_timeout(SOON);
    assert_eq!(ended, Err(RecvTimeoutError::Disconnected), "the runtime goes on without anybody");
}
