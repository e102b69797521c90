//! Schedules that are added and removed while the service runs.

use daebus::prelude::*;
use daebus::testing::TestApp;
use daebus::{Schedule, TaskError};
use daebus_tests_support::next;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test]
async fn schedules_are_added_and_removed_while_the_service_runs() {
    #[on_start]
    async fn early(tasks: Tasks) -> Result<(), TaskError> {
        let refused =
            tasks.schedule("state", Schedule::every(seconds(1)), async |_: State<u8>| {}).unwrap_err();
        assert!(refused.to_string().contains("State<u8> is missing"), "{refused}");
        tasks.schedule("early", Schedule::every(seconds(60)), async |events: Broadcast| {
            events.send("early", 1).await.map(drop).map_err(BoxError::from)
        })
    }
    #[background("fixed", 3600)]
    async fn fixed() {}

    let app = TestApp::new(Daebus::new("svc").register(blueprint_of!["b"; early, fixed])).await;
    let tasks = app.service().tasks();
    let tick = async |events: Broadcast| events.send("ticks", 1).await.map(drop).map_err(BoxError::from);
    tasks.schedule("tick", Schedule::every(seconds(10)), tick).unwrap();
    let taken = tasks.schedule("tick", Schedule::every(seconds(10)), tick).unwrap_err();
    assert_eq!(taken, TaskError::NameTaken { name: "tick".to_owned() });
    app.advance(seconds(60)).await;
    assert_eq!(app.published("ticks").await.len(), 6);
    app.published("early").await.assert_one(1);
    tasks.run_now("tick").await.unwrap();
    assert_eq!(app.published("ticks").await.len(), 7);

    tasks.unschedule("tick").unwrap();
    app.advance(seconds(60)).await;
    assert_eq!(app.published("ticks").await.len(), 7);
    assert!(matches!(tasks.unschedule("tick"), Err(TaskError::UnknownSchedule { .. })));
    assert_eq!(tasks.unschedule("fixed"), Err(TaskError::NotAdded { name: "fixed".to_owned() }));
    // The name is free again.
    tasks.schedule("tick", Schedule::every(seconds(10)), tick).unwrap();

    for (schedule, reason) in
        [(Schedule::cron("0 25 * * *"), "hour \"25\""), (Schedule::every(Duration::ZERO), "invalid interval")]
    {
        let refused = tasks.schedule("bad", schedule, tick).unwrap_err().to_string();
        assert!(refused.contains(reason), "{refused}");
    }
    let refused = tasks.schedule("state", Schedule::every(seconds(1)), async |_: State<u8>| {}).unwrap_err();
    assert!(refused.to_string().contains("State<u8> is missing"), "{refused}");
    app.finish().await;
}

#[tokio::test]
async fn schedules_are_removed_after_their_last_run() {
    let app = TestApp::new(Daebus::new("svc")).await;
    let tasks = app.service().tasks();
    // 1 January 2026, when the test begins.
    let start = std::time::SystemTime::UNIX_EPOCH + seconds(1_767_225_600);
    let tick = async |events: Broadcast| events.send("ticks", 1).await.map(drop).map_err(BoxError::from);
    tasks.schedule("once", Schedule::at(start + seconds(90)), tick).unwrap();
    tasks.schedule("some", Schedule::every(seconds(60)).until(start + seconds(150)), tick).unwrap();
    let timings: Vec<String> = tasks.schedules().into_iter().map(|schedule| schedule.timing).collect();
    assert_eq!(timings, ["at 2026-01-01T00:01:30Z", "every 60s until 2026-01-01T00:02:30Z"]);
    app.advance(seconds(91)).await;
    assert_eq!(app.published("ticks").await.len(), 2);
    let names: Vec<String> = tasks.schedules().into_iter().map(|schedule| schedule.name).collect();
    assert_eq!(names, ["some"]);
    app.advance(seconds(600)).await;
    assert_eq!(app.published("ticks").await.len(), 3);
    assert_eq!(tasks.schedules(), []);
    app.finish().await;
}

#[tokio::test]
async fn cron_expressions_and_time_zones_can_be_run_time_strings() {
    let app = TestApp::new(Daebus::new("svc")).await;
    let tasks = app.service().tasks();
    let (minute, zone) = (30, "UTC".to_owned());
    let tick = async |events: Broadcast| events.send("ticks", 1).await.map(drop).map_err(BoxError::from);
    let schedule = Schedule::cron(format!("{minute} * * * *")).tz(zone);
    assert_eq!(schedule.to_string(), "cron \"30 * * * *\" in UTC");
    tasks.schedule("half", schedule.clone(), tick).unwrap();
    app.advance(seconds(2 * 3600)).await;
    assert_eq!(app.published("ticks").await.len(), 2);
    let refused = tasks.schedule("bad", schedule.tz("Mars/Olympus".to_owned()), tick).unwrap_err();
    assert!(refused.to_string().contains("Mars/Olympus"), "{refused}");
    app.finish().await;
}

#[tokio::test]
async fn the_error_of_a_drain_lists_runs_of_added_schedules() {
    let app = Daebus::new("svc").bus("memory://drain-added").drain(Duration::from_millis(50));
    let service = app.start().await.unwrap();
    let (began, mut runs) = tokio::sync::mpsc::unbounded_channel();
    let hang = move || {
        let began = began.clone();
        async move {
            began.send(()).unwrap();
            std::future::pending::<()>().await;
        }
    };
    service.tasks().schedule("added", Schedule::every(seconds(3600)).immediate(), hang).unwrap();
    next(&mut runs).await;
    let error = service.stop().await.unwrap_err().to_string();
    assert!(error.contains("1× background \"added\" (added at run time)"), "{error}");
}
