//! `testing::TestApp`.

#![allow(clippy::unwrap_used, clippy::expect_used)] // clippy's own exception ends at the test functions

use daebus::prelude::*;
use daebus::testing::TestApp;
use futures_util::FutureExt;
use tokio::time::Instant;

#[action("greet")]
async fn greet(Payload(name): Payload<String>, broadcast: Broadcast) -> Result<String, BoxError> {
    broadcast.send("greetings", json!({"name": name})).await?;
    Ok(format!("hello, {name}"))
}

#[action("explode")]
async fn explode() {
    panic!("bang");
}

#[action("slow")]
async fn slow() {
    tokio::time::sleep(Duration::from_secs(2)).await;
}

#[listen("orders")]
async fn on_order(Payload(order): Payload<Value>, tasks: Tasks, broadcast: Broadcast) {
    tasks.after(Duration::from_secs(60), async move {
        broadcast.send("reminders", &order).await.unwrap();
    });
}

fn svc() -> Daebus {
    Daebus::new("svc")
        .bus("redis://127.0.0.1:1")
        .register(blueprint_of!["all"; greet, explode, slow, on_order])
}

#[tokio::test]
async fn published_messages_are_recorded() {
    let app = TestApp::new(svc()).await;
    app.published("greetings").await.assert_none();
    let answer: String = app.caller().send_request("greet", "Ada").await.unwrap();
    assert_eq!(answer, "hello, Ada");
    app.published("greetings").await.assert_one(json!({"name": "Ada"}));
    let _: String = app.caller().send_request("greet", "Bob").await.unwrap();
    let greetings = app.published("greetings").await;
    greetings.assert_all([json!({"name": "Ada"}), json!({"name": "Bob"})]).assert_any(json!({"name": "Bob"}));
    app.finish().await;
}

#[tokio::test]
async fn the_recorder_does_not_count_as_a_receiver() {
    let app = TestApp::new(svc()).await;
    let received = app.caller().send_message("nobody", json!({})).await.unwrap();
    assert_eq!(received, 0);
    let lost: Result<Value, CallError> = app.caller().to("other").send_request("x", ()).await;
    assert!(matches!(lost, Err(CallError::NoService { .. })), "{lost:?}");
    app.finish().await;
}

#[tokio::test]
async fn a_delayed_task_runs_at_its_time() {
    let app = TestApp::new(svc()).await;
    app.publish("orders", json!({"id": 1})).await;
    app.advance(Duration::from_millis(59_990)).await;
    app.published("reminders").await.assert_none();
    app.advance(Duration::from_millis(10)).await;
    app.published("reminders").await.assert_one(json!({"id": 1}));
    app.finish().await;
}

#[tokio::test]
async fn the_clock_advances_when_all_tasks_wait() {
    let app = TestApp::new(svc()).await;
    let (real, paused) = (std::time::Instant::now(), Instant::now());
    let _: Value = app.caller().send_request("slow", ()).await.unwrap();
    assert_eq!(paused.elapsed().as_secs(), 2);
    app.advance(Duration::from_secs(30 * 86_400)).await;
    assert_eq!(paused.elapsed().as_secs(), 30 * 86_400 + 2);
    assert!(real.elapsed() < Duration::from_secs(20));
    app.finish().await;
}

#[tokio::test]
async fn an_unread_panic_fails_the_test() {
    let app = TestApp::new(svc()).await;
    let _: Result<Value, CallError> = app.caller().send_request("explode", ()).await;
    let panic = std::panic::AssertUnwindSafe(app.finish()).catch_unwind().await.unwrap_err();
    let words = panic.downcast_ref::<String>().unwrap();
    assert!(words.contains("explode") && words.contains("bang"), "{words}");
}

#[tokio::test]
async fn a_panic_that_was_read_does_not_fail_the_test() {
    let app = TestApp::new(svc()).await;
    let _: Result<Value, CallError> = app.caller().send_request("explode", ()).await;
    let panics = app.panics();
    assert!(matches!(&panics[..], [panic] if panic.ends_with("bang")), "{panics:?}");
    app.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_already_paused_is_used() {
    let app = TestApp::new(svc()).await;
    app.advance(Duration::from_secs(3600)).await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_real_clock_needs_no_special_runtime() {
    let app = TestApp::real_time(svc()).await;
    let answer: String = app.caller().send_request("greet", "Ada").await.unwrap();
    assert_eq!(answer, "hello, Ada");
    app.published("greetings").await.assert_one(json!({"name": "Ada"}));
    app.finish().await;
}

#[tokio::test]
async fn spawned_tasks_are_cancelled_at_the_stop() {
    let app = TestApp::new(svc()).await;
    let tasks = app.service().tasks();
    let value = tasks.spawn(async { 7 });
    let endless = tasks.spawn(std::future::pending::<()>());
    let aborted = tasks.after(Duration::from_secs(1), async { 7 });
    aborted.abort();
    let broken = tasks.spawn(async { panic!("bang") });
    assert_eq!(value.await, Ok(7));
    assert_eq!(aborted.await, Err(daebus::TaskEnded::Cancelled));
    let broken: Result<(), _> = broken.await;
    assert_eq!(broken, Err(daebus::TaskEnded::Panicked("bang".to_owned())));
    assert_eq!(app.panics().len(), 1);
    let before = Instant::now();
    app.finish().await;
    assert_eq!(endless.await, Err(daebus::TaskEnded::Cancelled));
    assert!(before.elapsed() < Duration::from_secs(1));
    assert_eq!(tasks.spawn(async { 7 }).await, Err(daebus::TaskEnded::Cancelled));
}

#[tokio::test]
async fn a_joined_application_shares_the_bus_and_the_clock() {
    #[derive(Serialize)]
    struct Asked {
        name: String,
    }

    #[action("ask")]
    async fn ask(Payload(name): Payload<String>, callers: Callers) -> Result<String, BoxError> {
        Ok(callers.to("answers").send_request("answer", name).await?)
    }
    #[action("answer")]
    async fn answer(Payload(name): Payload<String>, events: Broadcast) -> Result<String, BoxError> {
        events.send("asked", json!({"name": name})).await?;
        Ok(format!("hello, {name}"))
    }
    #[background("tick", 60)]
    async fn tick(events: Broadcast) -> Result<(), BoxError> {
        events.send("ticks", 1).await?;
        Ok(())
    }

    let asks = TestApp::new(Daebus::new("asks").register(blueprint_of!["asks"; ask])).await;
    let answers = asks.join(Daebus::new("answers").register(blueprint_of!["answers"; answer, tick])).await;
    let greeting: String = asks.caller().send_request("ask", "Ada").await.unwrap();
    assert_eq!(greeting, "hello, Ada");
    asks.published("asked").await.assert_one(Asked { name: "Ada".into() });
    asks.advance(Duration::from_secs(120)).await;
    answers.published("ticks").await.assert_all([json!(1), json!(1)]).assert_any(1);
    asks.finish().await;
    answers.finish().await;
}
