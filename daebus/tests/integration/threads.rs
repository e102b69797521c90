//! Threads, which run as long as the service.

#![allow(clippy::unwrap_used, clippy::expect_used)] // clippy's own exception ends at the test functions

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use daebus::prelude::*;
use daebus::testing::TestApp;
use daebus::{Restart, TaskError, ThreadOptions};
use daebus_tests_support::next;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// The reports of the threads of a test.
type Reports = mpsc::UnboundedSender<String>;

#[thread("os")]
fn os(running: Running, State(sender): State<Reports>, callers: Callers) {
    let name = std::thread::current().name().unwrap_or_default().to_owned();
    sender.send(format!("began as {name}")).unwrap();
    let answer: Result<Value, CallError> =
        daebus::block_on(async { callers.to("svc").send_request("echo", json!(7)).await });
    sender.send(format!("received {}", answer.unwrap())).unwrap();
    while running.wait(Duration::from_secs(3600)) {}
    sender.send("ended".to_owned()).unwrap();
}

#[action("echo")]
async fn echo(Payload(value): Payload<Value>) -> Value {
    value
}

#[tokio::test]
async fn a_plain_fn_runs_on_its_own_thread_until_the_service_stops() {
    let (sender, mut received) = mpsc::unbounded_channel::<String>();
    let app =
        Daebus::new("svc").bus("memory://os-thread").state(sender).register(blueprint_of!["b"; os, echo]);
    let service = app.start().await.unwrap();
    assert_eq!(next(&mut received).await, "began as os");
    assert_eq!(next(&mut received).await, "received 7");
    service.stop().await.unwrap();
    assert_eq!(next(&mut received).await, "ended");
}

#[thread("manual", auto_start = false)]
async fn manual(running: Running, State(sender): State<Reports>) {
    sender.send("began".to_owned()).unwrap();
    while running.sleep(Duration::from_secs(3600)).await {}
    sender.send("ended".to_owned()).unwrap();
}

#[tokio::test]
async fn a_thread_is_started_and_stopped_by_name() -> Result<(), TaskError> {
    let (sender, mut received) = mpsc::unbounded_channel::<String>();
    let app = Daebus::new("svc").bus("memory://manual").state(sender).register(blueprint_of!["b"; manual]);
    let service = app.start().await.unwrap();
    let tasks = service.tasks();
    assert!(!tasks.threads()[0].running && !tasks.threads()[0].wanted);
    for _ in 0..3 {
        tasks.start("manual")?;
        assert_eq!(next(&mut received).await, "began");
        tasks.start("manual")?;
        assert!(tasks.threads()[0].running);
        tasks.stop("manual").await?;
        assert_eq!(next(&mut received).await, "ended");
        assert!(!tasks.threads()[0].running);
    }
    tasks.stop("manual").await?;
    service.stop().await.unwrap();
    assert_eq!(tasks.start("manual"), Err(TaskError::Stopping { name: "manual".to_owned() }));
    assert!(received.try_recv().is_err());
    Ok(())
}

#[thread("deaf")]
fn deaf(State(gate): State<Arc<std::sync::Barrier>>) {
    gate.wait();
}

#[tokio::test(start_paused = true)]
async fn a_thread_that_outlasts_the_drain_is_named() {
    let gate = Arc::new(std::sync::Barrier::new(2));
    let app =
        Daebus::new("svc").bus("memory://deaf").state(Arc::clone(&gate)).register(blueprint_of!["b"; deaf]);
    let service = app.start().await.unwrap();
    let tasks = service.tasks();
    while !tasks.threads()[0].running {
        tokio::task::yield_now().await;
    }
    let refused = tasks.stop("deaf").await.unwrap_err();
    assert_eq!(refused, TaskError::StillRunning { name: "deaf".to_owned(), after: Duration::from_secs(30) });
    let error = service.stop().await.unwrap_err().to_string();
    assert!(error.contains("deaf (daebus/tests/integration/threads.rs:"), "{error}");
    gate.wait();
}

/// Fails until the counter is zero, then runs.
async fn moody(
    running: Running,
    State(failures): State<Arc<AtomicUsize>>,
    broadcast: Broadcast,
) -> Result<(), BoxError> {
    broadcast.send("began", json!(1)).await?;
    match failures.fetch_sub(1, Ordering::SeqCst) {
        0 => {}
        left if left % 2 == 0 => panic!("no luck"),
        _ => return Err("no money".into()),
    }
    failures.store(0, Ordering::SeqCst);
    running.stopped().await;
    Ok(())
}

async fn moody_app(restart: Restart, failures: usize) -> TestApp {
    let options = ThreadOptions::new().restart(restart);
    let app = Daebus::new("svc")
        .state(Arc::new(AtomicUsize::new(failures)))
        .register(Blueprint::new("b").thread("moody", options, moody));
    TestApp::new(app).await
}

#[tokio::test]
async fn a_failed_thread_is_restarted_with_exponential_backoff() {
    let app = moody_app(Restart::OnFailure, 4).await;
    app.start_thread("moody").await;
    for (seconds, starts) in [(0, 1), (1, 2), (2, 3), (4, 4), (8, 5), (3600, 5)] {
        app.advance(Duration::from_secs(seconds)).await;
        assert_eq!(app.published("began").await.len(), starts, "after {seconds} s more");
    }
    let moody = &app.service().tasks().threads()[0];
    assert!(moody.running && moody.restarts == 4);
    assert_eq!(app.panics().len(), 2);
    app.finish().await;
}

#[tokio::test]
async fn the_delay_before_a_restart_can_be_cut_short() -> Result<(), TaskError> {
    let app = moody_app(Restart::OnFailure, 3).await;
    let tasks = app.service().tasks();
    app.start_thread("moody").await;
    assert!(tasks.threads()[0].wanted && !tasks.threads()[0].running);
    tasks.stop("moody").await?;
    app.advance(Duration::from_secs(3600)).await;
    assert_eq!(app.published("began").await.len(), 1);
    app.start_thread("moody").await;
    assert_eq!(app.published("began").await.len(), 2);
    app.panics();
    let before = Instant::now();
    app.finish().await;
    assert!(before.elapsed() < Duration::from_secs(1), "the delay doesn't postpone the stop");
    Ok(())
}

#[tokio::test]
async fn a_failed_thread_is_not_restarted_by_default() {
    let app = moody_app(Restart::Never, 1).await;
    app.start_thread("moody").await;
    app.advance(Duration::from_secs(3600)).await;
    assert_eq!(app.published("began").await.len(), 1);
    let moody = &app.service().tasks().threads()[0];
    assert!(!moody.running && !moody.wanted);
    assert_eq!(moody.last_error.as_deref(), Some("no money"));
    app.finish().await;
}

#[tokio::test]
async fn a_test_starts_threads_explicitly() {
    let app = moody_app(Restart::Never, 0).await;
    app.advance(Duration::from_secs(60)).await;
    app.published("began").await.assert_none();
    app.start_thread("moody").await;
    app.published("began").await.assert_one(json!(1));
    app.finish().await;
}

#[tokio::test]
async fn delays_before_restarts_grow_to_a_minute_and_no_further() {
    let app = moody_app(Restart::OnFailure, 1000).await;
    app.start_thread("moody").await;
    // 1 + 2 + 4 + 8 + 16 + 32 s.
    app.advance(Duration::from_secs(64)).await;
    assert_eq!(app.published("began").await.len(), 7);
    app.advance(Duration::from_secs(600)).await;
    assert_eq!(app.published("began").await.len(), 17);
    app.panics();
    app.finish().await;
}

#[tokio::test]
async fn a_thread_that_ran_for_a_minute_is_restarted_after_a_second() {
    /// Fails at once three times, then after a minute, then runs on.
    async fn recovers(
        running: Running,
        State(runs): State<Arc<AtomicUsize>>,
        broadcast: Broadcast,
    ) -> Result<(), BoxError> {
        broadcast.send("began", json!(1)).await?;
        match runs.fetch_add(1, Ordering::SeqCst) {
            0..=2 => {}
            3 => tokio::time::sleep(Duration::from_secs(60)).await,
            _ => {
                running.stopped().await;
                return Ok(());
            }
        }
        Err("no luck".into())
    }
    let options = ThreadOptions::new().restart(Restart::OnFailure);
    let blueprint = Blueprint::new("b").thread("recovers", options, recovers);
    let app = TestApp::new(Daebus::new("svc").state(Arc::new(AtomicUsize::new(0))).register(blueprint)).await;
    app.start_thread("recovers").await;
    // After 1, 2 and 4 s.
    app.advance(Duration::from_secs(8)).await;
    assert_eq!(app.published("began").await.len(), 4);
    // The fourth run ends at 67 s.
    app.advance(Duration::from_secs(62)).await;
    assert_eq!(app.published("began").await.len(), 5);
    app.finish().await;
}
