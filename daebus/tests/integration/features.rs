//! Features and repeaters.

#![allow(clippy::unwrap_used, clippy::expect_used)] // clippy's own exception ends at the test functions

use std::sync::{Arc, Mutex};

use daebus::prelude::*;
use daebus::testing::TestApp;
use daebus::{Error, Feature, FeatureContext, Repeater};

/// The events of a test, in order.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn say(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// The failure of a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Nothing,
    Start,
    StartPanics,
    Stop,
    StopHangs,
}

/// Three types of feature, since an application can't have two of one type.
struct Part<const N: u8> {
    log: Log,
    wrong: Wrong,
}

impl<const N: u8> Part<N> {
    fn new(log: &Log, wrong: Wrong) -> Self {
        Self { log: log.clone(), wrong }
    }
}

impl<const N: u8> Feature for Part<N> {
    async fn start(&self, cx: &FeatureContext) -> Result<(), BoxError> {
        assert_ne!(self.wrong, Wrong::StartPanics, "start panics");
        if self.wrong == Wrong::Start {
            return Err("the disk is full".into());
        }
        self.log.say(format!("start {N} of {}", cx.service()));
        Ok(())
    }

    async fn before_stop(&self, cx: &FeatureContext) -> Result<(), BoxError> {
        assert!(cx.shutdown().is_requested());
        let answer: String = cx.callers().to(cx.service()).send_request("ping", ()).await?;
        self.log.say(format!("before_stop {N}, {answer}"));
        Ok(())
    }

    async fn stop(&self, cx: &FeatureContext) -> Result<(), BoxError> {
        // The bus is still open.
        cx.broadcast().send("stopped", json!({"n": N})).await?;
        self.log.say(format!("stop {N}"));
        match self.wrong {
            Wrong::Stop => Err("it won't".into()),
            Wrong::StopHangs => std::future::pending().await,
            _ => Ok(()),
        }
    }
}

#[action("ping")]
async fn ping() -> &'static str {
    "still answering"
}

#[action("which")]
async fn which(State(part): State<Arc<Part<2>>>) -> String {
    format!("{:?}", part.wrong)
}

#[on_start]
async fn hook(State(log): State<Log>) {
    log.say("on_start");
}

#[on_stop]
async fn last_hook(State(log): State<Log>) {
    log.say("on_stop");
}

fn app(log: &Log, wrong: [Wrong; 3]) -> Daebus {
    Daebus::new("parts")
        .state(log.clone())
        .feature(Part::<1>::new(log, wrong[0]))
        .feature(Part::<2>::new(log, wrong[1]))
        .feature(Part::<3>::new(log, wrong[2]))
        .register(blueprint_of!["b"; ping, which, hook, last_hook])
}

const LIFE: [&str; 11] = [
    "start 1 of parts",
    "start 2 of parts",
    "start 3 of parts",
    "on_start",
    "before_stop 3, still answering",
    "before_stop 2, still answering",
    "before_stop 1, still answering",
    "on_stop",
    "stop 3",
    "stop 2",
    "stop 1",
];

#[tokio::test]
async fn features_start_in_order_and_stop_in_reverse() {
    let log = Log::default();
    let service = app(&log, [Wrong::Nothing; 3]).bus("memory://features").start().await.unwrap();
    let which: String = service.callers().to("parts").send_request("which", ()).await.unwrap();
    assert_eq!(which, "Nothing", "a handler takes the feature");
    service.stop().await.unwrap();
    assert_eq!(log.lines(), LIFE);
}

#[tokio::test]
async fn a_failed_start_stops_started_features_and_returns_the_reason() {
    for (wrong, reason) in [(Wrong::Start, "the disk is full"), (Wrong::StartPanics, "start panics")] {
        let log = Log::default();
        let app = app(&log, [Wrong::Nothing, Wrong::Nothing, wrong]).bus("memory://features-fail");
        let error = app.start().await.unwrap_err();
        assert!(matches!(&error, Error::Feature { service, .. } if service == "parts"));
        assert!(error.to_string().contains(reason) && error.to_string().contains("Part<3>"), "{error}");
        assert_eq!(log.lines(), ["start 1 of parts", "start 2 of parts", "stop 2", "stop 1"]);
    }
}

#[tokio::test]
async fn a_failed_on_start_stops_the_features() {
    #[on_start]
    async fn fails() -> Result<(), BoxError> {
        Err("not today".into())
    }
    let log = Log::default();
    let app = app(&log, [Wrong::Nothing; 3]).register(blueprint_of!["c"; fails]);
    let error = app.bus("memory://features-hook").start().await.unwrap_err();
    assert!(error.to_string().contains("not today"), "{error}");
    assert_eq!(log.lines()[4..], ["stop 3", "stop 2", "stop 1"]);
}

#[tokio::test]
async fn a_feature_that_does_not_stop_does_not_prevent_others_from_stopping() {
    let log = Log::default();
    // On the paused clock, the limit of 10 s for the one that hangs passes at once.
    let app = TestApp::new(app(&log, [Wrong::Nothing, Wrong::StopHangs, Wrong::Stop])).await;
    app.finish().await;
    assert_eq!(log.lines(), LIFE);
}

#[tokio::test]
async fn the_same_feature_twice_is_a_mistake() {
    let log = Log::default();
    let twice = app(&log, [Wrong::Nothing; 3]).feature(Part::<2>::new(&log, Wrong::Nothing));
    let error = twice.bus("memory://features-twice").start().await.unwrap_err().to_string();
    assert!(error.contains("the feature integration::features::Part<2> was added twice"), "{error}");
    assert!(log.lines().is_empty(), "nothing has started");
}

#[tokio::test]
async fn a_missing_feature_is_a_mistake() {
    let app = Daebus::new("parts").bus("memory://features-none").register(blueprint_of!["b"; which]);
    let error = app.start().await.unwrap_err().to_string();
    assert!(error.contains("Arc<integration::features::Part<2>>"), "{error}");
}

/// Fails a configured number of times in each of its two methods.
struct Flaky {
    log: Log,
    prepare_fails: u32,
    run_fails: u32,
}

impl Repeater for Flaky {
    fn name(&self) -> String {
        "flaky".into()
    }

    async fn prepare(&mut self, _: &FeatureContext) -> Result<(), BoxError> {
        if self.prepare_fails > 0 {
            self.prepare_fails -= 1;
            self.log.say("prepare fails");
            return Err("not yet".into());
        }
        self.log.say("prepared");
        Ok(())
    }

    async fn run(&mut self, cx: &FeatureContext) -> Result<(), BoxError> {
        if self.run_fails > 0 {
            self.run_fails -= 1;
            self.log.say("run fails");
            assert!(self.run_fails != 1, "a panic is an error like others");
            return Err("no luck".into());
        }
        self.log.say("run");
        cx.broadcast().send("ran", json!({})).await?;
        tokio::time::sleep(Duration::from_secs(3600)).await;
        Ok(())
    }
}

#[tokio::test]
async fn a_repeater_prepares_until_it_succeeds_and_then_runs_repeatedly() {
    let log = Log::default();
    let flaky = Flaky { log: log.clone(), prepare_fails: 2, run_fails: 3 };
    let app = TestApp::new(Daebus::new("repeats").repeater(flaky)).await;
    assert_eq!(app.published("ran").await.len(), 0);
    assert_eq!(log.lines(), ["prepare fails"], "a delay follows");
    // Delays of 1 and 2 s, and after a success again from the first one on: 1, 2 and 4 s.
    app.advance(Duration::from_secs(11)).await;
    let begin = ["prepare fails", "prepare fails", "prepared", "run fails", "run fails", "run fails", "run"];
    assert_eq!(log.lines(), begin);
    assert_eq!(app.panics().len(), 1);
    app.advance(Duration::from_secs(3 * 3600)).await;
    assert_eq!(log.lines().len(), begin.len() + 3);
    assert_eq!(app.published("ran").await.len(), 4);
    app.finish().await;
}

/// The log of this thread.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(line)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn an_error_that_repeats_is_logged_when_it_begins_and_when_it_ends() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let flaky = Flaky { log: Log::default(), prepare_fails: 5, run_fails: 0 };
    let app = TestApp::new(Daebus::new("repeats").repeater(flaky)).await;
    app.advance(Duration::from_secs(300)).await;
    app.finish().await;
    let log = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert_eq!(log.matches("run failed").count(), 1, "{log}");
    assert_eq!(log.matches("not yet").count(), 2, "{log}");
    assert!(log.contains("error ended") && log.contains("repetitions=4"), "{log}");
}

#[tokio::test]
async fn the_backoff_of_a_repeater_grows_up_to_30_s() {
    let log = Log::default();
    let flaky = Flaky { log: log.clone(), prepare_fails: u32::MAX, run_fails: 0 };
    let app = TestApp::new(Daebus::new("repeats").repeater(flaky)).await;
    // 1 + 2 + 4 + 8 + 16 s, then 30 s each, and some time for the rounding of timers.
    app.advance(Duration::from_secs(32)).await;
    assert_eq!(log.lines().len(), 6);
    app.advance(Duration::from_secs(300)).await;
    assert_eq!(log.lines().len(), 16);
    app.finish().await;
}

#[tokio::test]
async fn a_repeater_that_never_waits_ends_with_the_service() {
    struct Busy;
    impl Repeater for Busy {
        async fn run(&mut self, _: &FeatureContext) -> Result<(), BoxError> {
            Ok(())
        }
    }
    let app = Daebus::new("busy").bus("memory://repeater-busy").repeater(Busy);
    let service = app.start().await.unwrap();
    tokio::time::timeout(Duration::from_secs(10), service.stop()).await.unwrap().unwrap();
}
