//! Handlers that run on a schedule.

#![allow(clippy::unwrap_used, clippy::expect_used)] // clippy's own exception ends at the test functions

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use daebus::prelude::*;
use daebus::testing::TestApp;
use daebus::{Overlap, Schedule, TaskError};
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// The times at which the runs of a test began, in milliseconds since its start.
#[derive(Clone)]
struct Began(Instant);

impl Began {
    async fn note(&self, events: &Broadcast) {
        let millis = u64::try_from(self.0.elapsed().as_millis()).unwrap();
        events.send("began", json!(millis)).await.unwrap();
    }
}

async fn note(State(began): State<Began>, broadcast: Broadcast) {
    began.note(&broadcast).await;
}

async fn app(schedule: Schedule) -> TestApp {
    start(Daebus::new("svc").register(Blueprint::new("b").background("job", schedule, note))).await
}

async fn start(app: Daebus) -> TestApp {
    tokio::time::pause();
    TestApp::new(app.state(Began(Instant::now()))).await
}

/// Returns the times at which runs began, in whole seconds.
async fn began(app: &TestApp) -> Vec<u64> {
    let millis: Vec<u64> = app.published("began").await.decode();
    millis.into_iter().map(|millis| millis / 1000).collect()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test]
async fn an_interval_begins_one_interval_after_the_start() {
    let app = app(Schedule::every(seconds(600))).await;
    app.advance(seconds(599)).await;
    assert!(began(&app).await.is_empty());
    app.advance(seconds(3001)).await;
    assert_eq!(began(&app).await, [600, 1200, 1800, 2400, 3000, 3600]);
    app.finish().await;
}

#[tokio::test]
async fn small_steps_of_the_clock_equal_a_large_one() {
    let app = app(Schedule::every(seconds(1))).await;
    for _ in 0..500 {
        app.advance(Duration::from_millis(200)).await;
    }
    assert_eq!(began(&app).await, (1..=100).collect::<Vec<u64>>());
    app.finish().await;
}

#[tokio::test]
async fn an_immediate_schedule_also_runs_at_the_start() {
    let app = app(Schedule::every(seconds(10)).immediate()).await;
    app.advance(seconds(20)).await;
    assert_eq!(began(&app).await, [0, 10, 20]);
    app.finish().await;
}

#[tokio::test]
async fn cron_follows_the_wall_clock_in_its_zone() {
    let app = app(Schedule::cron("0 6 * * *").tz("Europe/Amsterdam")).await;
    app.advance(seconds(2 * 86_400)).await;
    assert_eq!(began(&app).await, [5 * 3600, 29 * 3600]);
    app.finish().await;
}

#[tokio::test]
async fn cron_follows_daylight_saving_time() {
    // 23:30 on the evening before the clock skips from two to three.
    let wall = SystemTime::UNIX_EPOCH + seconds(1_774_737_000);
    tokio::time::pause();
    let job = Schedule::cron("30 2 * * *").tz("Europe/Amsterdam");
    let app = Daebus::new("svc").register(Blueprint::new("b").background("job", job, note));
    let app = TestApp::starting_at(app.state(Began(Instant::now())), wall).await;
    app.advance(seconds(86_400 + 3 * 3600)).await;
    assert_eq!(began(&app).await, [9000, 26 * 3600]);
    app.finish().await;
}

async fn slow(State(began): State<Began>, broadcast: Broadcast) {
    began.note(&broadcast).await;
    tokio::time::sleep(seconds(25)).await;
}

#[tokio::test]
async fn the_overlap_rule_decides_about_concurrent_runs() {
    for (overlap, expected) in [
        (Overlap::Skip, vec![10, 40, 70, 100]),
        (Overlap::Queue, vec![10, 35, 60, 85]),
        (Overlap::Allow, vec![10, 20, 30, 40, 50, 60, 70, 80, 90, 100]),
    ] {
        let schedule = Schedule::every(seconds(10)).overlap(overlap);
        let app = Daebus::new("svc").register(Blueprint::new("b").background("job", schedule, slow));
        let app = TestApp::new(app.state(Began(Instant::now()))).await;
        app.advance(seconds(100)).await;
        assert_eq!(began(&app).await, expected, "{overlap:?}");
        app.finish().await;
    }
}

async fn failing(State(runs): State<Arc<AtomicUsize>>) -> Result<(), BoxError> {
    match runs.fetch_add(1, Ordering::SeqCst) {
        0 => panic!("no luck"),
        1 => Err("no money".into()),
        _ => Ok(()),
    }
}

#[tokio::test]
async fn an_error_or_a_panic_does_not_end_a_schedule() {
    let runs = Arc::new(AtomicUsize::new(0));
    let app = Daebus::new("svc").state(Arc::clone(&runs)).register(Blueprint::new("b").background(
        "job",
        Schedule::every(seconds(1)),
        failing,
    ));
    let app = TestApp::new(app).await;
    let tasks = app.service().tasks();
    app.advance(seconds(1)).await;
    assert_eq!(tasks.schedules()[0].last_error.as_deref(), Some("the handler panicked: no luck"));
    assert_eq!(app.panics().len(), 1);
    app.advance(seconds(1)).await;
    assert_eq!(tasks.schedules()[0].last_error.as_deref(), Some("no money"));
    app.advance(seconds(1)).await;
    let job = &tasks.schedules()[0];
    assert_eq!((job.runs, job.failures, job.last_error.as_deref()), (3, 2, None));
    app.finish().await;
}

async fn endless() {
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_run_has_no_time_limit_by_default() {
    #[background("limited", 10, timeout = "5s")]
    async fn limited() {
        std::future::pending::<()>().await;
    }
    let app = Daebus::new("svc").drain(seconds(1)).register(blueprint_of!["b"; limited].background(
        "unlimited",
        Schedule::every(seconds(10)),
        endless,
    ));
    let app = TestApp::new(app).await;
    app.advance(seconds(8 * 3600 + 6)).await;
    let schedules = app.service().tasks().schedules();
    assert_eq!((&*schedules[0].name, schedules[0].running), ("limited", 0));
    assert!(schedules[0].failures > 1000);
    assert_eq!((&*schedules[1].name, schedules[1].running, schedules[1].runs), ("unlimited", 1, 0));
}

#[tokio::test]
async fn a_resumed_schedule_keeps_its_phase() -> Result<(), TaskError> {
    let app = app(Schedule::every(seconds(10))).await;
    let tasks = app.service().tasks();
    app.advance(seconds(10)).await;
    tasks.pause("job")?;
    assert!(tasks.schedules()[0].paused && tasks.schedules()[0].next_run.is_none());
    app.advance(seconds(25)).await;
    tasks.resume("job")?;
    app.advance(seconds(10)).await;
    assert_eq!(began(&app).await, [10, 40]);
    app.finish().await;
    Ok(())
}

#[tokio::test]
async fn an_interval_can_be_changed() -> Result<(), TaskError> {
    let app = app(Schedule::every(seconds(100))).await;
    let tasks = app.service().tasks();
    app.advance(seconds(10)).await;
    tasks.set_interval("job", seconds(30))?;
    app.advance(seconds(60)).await;
    assert_eq!(began(&app).await, [40, 70]);
    assert_eq!(tasks.schedules()[0].timing, "every 30s");
    assert!(matches!(tasks.set_interval("job", Duration::ZERO), Err(TaskError::BadInterval { .. })));
    app.finish().await;
    Ok(())
}

#[tokio::test]
async fn a_cron_schedule_has_no_interval_to_change() {
    let app = app(Schedule::cron("@hourly")).await;
    let refused = app.service().tasks().set_interval("job", seconds(1));
    let expected = TaskError::NoInterval { name: "job".to_owned() };
    assert_eq!(expected.to_string(), "\"job\" has no interval to change");
    assert_eq!(refused, Err(expected));
    app.finish().await;
}

#[tokio::test]
async fn an_interval_must_be_longer_than_the_jitter() {
    let app = app(Schedule::every(seconds(60)).jitter(seconds(30))).await;
    let tasks = app.service().tasks();
    let refused = tasks.set_interval("job", seconds(30)).unwrap_err();
    assert!(refused.to_string().contains("a jitter of 30s would delay a run past the next one"), "{refused}");
    tasks.set_interval("job", seconds(31)).unwrap();
    app.finish().await;
}

#[tokio::test]
async fn run_now_runs_a_schedule_immediately() -> Result<(), TaskError> {
    let app = app(Schedule::every(seconds(100))).await;
    let tasks = app.service().tasks();
    app.advance(seconds(10)).await;
    tasks.pause("job")?;
    tasks.run_now("job").await?;
    assert_eq!(began(&app).await, [10]);
    tasks.resume("job")?;
    app.advance(seconds(90)).await;
    assert_eq!(began(&app).await, [10, 100]);
    app.finish().await;
    Ok(())
}

#[tokio::test]
async fn run_now_works_as_soon_as_the_service_is_ready() {
    let blueprint = Blueprint::new("jobs").background("job", Schedule::every(seconds(100)), note);
    let app =
        Daebus::new("jobs").bus("memory://run-at-once").state(Began(Instant::now())).register(blueprint);
    let service = app.start().await.unwrap();
    service.tasks().run_now("job").await.unwrap();
    service.stop().await.unwrap();
}

async fn gated(State(gate): State<Arc<Semaphore>>) -> Result<(), BoxError> {
    gate.acquire().await?.forget();
    Err("gate".into())
}

#[tokio::test]
async fn run_now_returns_the_outcome_of_the_run() {
    for (overlap, second) in [
        (Overlap::Skip, TaskError::Running { name: "job".to_owned() }),
        (Overlap::Queue, TaskError::Failed { name: "job".to_owned(), reason: "gate".to_owned() }),
    ] {
        let gate = Arc::new(Semaphore::new(0));
        let schedule = Schedule::every(seconds(3600)).overlap(overlap);
        let app = Daebus::new("svc")
            .state(Arc::clone(&gate))
            .register(Blueprint::new("b").background("job", schedule, gated));
        let app = TestApp::new(app).await;
        let (one, two) = (app.service().tasks(), app.service().tasks());
        let ask = |tasks: Tasks| tokio::spawn(async move { tasks.run_now("job").await });
        let one = ask(one);
        app.settle().await;
        let two = ask(two);
        app.settle().await;
        gate.add_permits(2);
        let failed = TaskError::Failed { name: "job".to_owned(), reason: "gate".to_owned() };
        assert_eq!(one.await.unwrap(), Err(failed));
        assert_eq!(two.await.unwrap(), Err(second));
        app.finish().await;
    }
}

#[tokio::test]
async fn the_reason_of_a_failed_run_does_not_reach_the_caller_of_an_action() {
    async fn fails() -> Result<(), BoxError> {
        Err("password of the database: hunter2".into())
    }
    #[action("run")]
    async fn run(tasks: Tasks) -> Result<(), TaskError> {
        tasks.run_now("job").await
    }
    let jobs = blueprint_of!["b"; run].background("job", Schedule::every(seconds(3600)), fails);
    let app = TestApp::new(Daebus::new("svc").register(jobs)).await;
    let error = app.service().callers().to("svc").send_request::<()>("run", ()).await.unwrap_err();
    let CallError::Service(fault) = &error else { panic!("{error:?}") };
    let expected = (Some("task_failed"), "\"job\" failed; the log has the reason");
    assert_eq!((fault.code(), fault.error()), expected);
    app.finish().await;
}

#[tokio::test]
async fn unknown_names_are_reported_with_the_existing_ones() {
    let app = app(Schedule::every(seconds(1))).await;
    let unknown = app.service().tasks().run_now("jobs").await.unwrap_err();
    assert_eq!(unknown.to_string(), "no schedule is named \"jobs\"; existing schedules: \"job\"");
    let unknown = app.service().tasks().start("x").unwrap_err();
    assert_eq!(unknown.to_string(), "no thread is named \"x\"; existing threads: none");
    app.finish().await;
}

#[tokio::test]
async fn the_drain_waits_for_running_schedules_and_begins_none() {
    let app = Daebus::new("svc").drain(seconds(60)).register(Blueprint::new("b").background(
        "job",
        Schedule::every(seconds(10)).overlap(Overlap::Queue),
        slow,
    ));
    let app = start(app).await;
    app.advance(seconds(21)).await;
    let before = Instant::now();
    let tasks = app.service().tasks();
    app.finish().await;
    let drained = before.elapsed();
    assert!(drained >= Duration::from_millis(13_990), "the run takes 25 s and had 11: {drained:?}");
    let job = &tasks.schedules()[0];
    assert_eq!((job.runs, job.running), (1, 0));
    assert_eq!(tasks.run_now("job").await, Err(TaskError::Stopping { name: "job".to_owned() }));
}

#[tokio::test]
async fn invalid_schedules_are_reported_at_the_start() {
    let schedules = Blueprint::new("b")
        .background("a", Schedule::cron("0 25 * * *"), endless)
        .background("b", Schedule::cron("0 0 30 2 *"), endless)
        .background("c", Schedule::cron("0 0 * * *").tz("Europe/Amsterdm"), endless)
        .background("j", Schedule::cron("*/5 * * * *").jitter(Duration::from_secs(300)), endless)
        .background("d", Schedule::every(Duration::ZERO), endless)
        .background("e", Schedule::every(seconds(1)).jitter(seconds(1)), endless)
        .background("f", Schedule::every(seconds(1)), endless)
        .background("f", Schedule::every(seconds(1)), endless)
        .background("", Schedule::every(seconds(1)), endless);
    let app = Daebus::new("svc").bus("memory://schedules-at-start").register(schedules);
    let mistakes = app.start().await.unwrap_err().to_string();
    for words in [
        "schedule \"a\": invalid cron expression \"0 25 * * *\": hour \"25\"",
        "no time ever matches the cron expression",
        "unknown time zone \"Europe/Amsterdm\"",
        "a jitter of 300s would delay a run past the next one; make it less than 300s",
        "invalid interval 0ns",
        "a jitter of 1s",
        "two handlers have the schedule name \"f\"",
        "can't be called \"\"",
        "integration/schedules.rs:",
    ] {
        assert!(mistakes.contains(words), "{words:?} is missing in: {mistakes}");
    }
}

#[tokio::test]
async fn attributes_create_the_same_schedules() {
    #[background("seconds", 0.5)]
    async fn half(broadcast: Broadcast) -> Result<(), BoxError> {
        broadcast.send("half", json!(1)).await?;
        Ok(())
    }
    /// A plain `fn`, which may block.
    #[background("units", every = "1m30s", immediate, overlap = "allow", jitter = "1s")]
    fn units(broadcast: Broadcast) {
        daebus::block_on(broadcast.send("units", json!(1))).unwrap();
    }
    #[background("cron", cron = "*/15 * * * * *", tz = "UTC", overlap = "queue")]
    async fn cron(broadcast: Broadcast) {
        broadcast.send("cron", json!(1)).await.unwrap();
    }
    let app = TestApp::new(Daebus::new("svc").register(blueprint_of!["b"; half, units, cron])).await;
    app.advance(seconds(180)).await;
    assert_eq!(app.published("half").await.len(), 360);
    assert_eq!(app.published("units").await.len(), 3);
    assert_eq!(app.published("cron").await.len(), 12);
    let timings: Vec<_> = app.service().tasks().schedules().into_iter().map(|job| job.timing).collect();
    assert_eq!(timings, ["cron \"*/15 * * * * *\" in UTC", "every 500ms", "every 90s"]);
    app.finish().await;
}
