//! The fields of log lines that identify the handler.

#![allow(clippy::unwrap_used, clippy::expect_used)] // clippy's own exception ends at the test functions

use std::io;
use std::sync::{Arc, Mutex, OnceLock};

use daebus::prelude::*;
use daebus::testing::TestApp;

/// The log of this process. Plain `fn` handlers run on other threads, so the subscriber must be global.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn of_process() -> &'static Self {
        static LOG: OnceLock<Log> = OnceLock::new();
        LOG.get_or_init(|| {
            let log = Self::default();
            let writer = log.clone();
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).init();
            log
        })
    }

    /// Returns the one line that contains `text`.
    fn line(&self, text: &str) -> String {
        let log = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let mut lines = log.lines().filter(|line| line.contains(text));
        let line = lines.next().unwrap_or_else(|| panic!("{text:?} is not in the log:\n{log}")).to_owned();
        assert_eq!(lines.next(), None, "{text:?} is in the log once");
        line
    }
}

/// A handler on a thread of its own.
#[action("grind")]
fn grind() {
    tracing::info!("grinding coffee");
}

#[blueprint("triggers")]
mod triggers {
    use super::*;

    #[on_start]
    fn starting() {
        tracing::info!("logged by on_start");
    }

    #[on_stop]
    fn stopping() {
        tracing::info!("logged by on_stop");
    }

    #[listen("beans")]
    fn arrived() {
        tracing::info!("logged by a listener");
    }

    #[route("/coffee")]
    fn served() {
        tracing::info!("logged by a route");
    }

    #[socket("order")]
    fn ordered() {
        tracing::info!("logged by a socket");
    }

    #[background("clean", 3600)]
    fn clean() {
        tracing::info!("logged by a schedule");
    }

    #[thread("watch", auto_start = false)]
    async fn watch() {
        tracing::info!("logged by a thread");
    }
}

/// A handler in the service's runtime.
#[action("brew")]
async fn brew() -> Result<(), BoxError> {
    Err("the water is cold".into())
}

#[tokio::test]
async fn log_lines_of_plain_fn_handlers_name_service_handler_and_request() {
    let log = Log::of_process();
    let app = TestApp::new(Daebus::new("barista").register(blueprint_of!["coffee"; grind])).await;
    app.caller().send_request::<()>("grind", json!({})).await.unwrap();
    app.finish().await;
    let line = log.line("grinding coffee");
    for field in ["service=\"barista\"", "trigger=\"action\"", "handler=\"grind\"", "request_id="] {
        assert!(line.contains(field), "{field} is missing in: {line}");
    }
}

#[tokio::test]
async fn the_failure_of_a_handler_is_logged_once_with_its_position() {
    let log = Log::of_process();
    let app = TestApp::new(Daebus::new("failing_barista").register(blueprint_of!["coffee"; brew])).await;
    app.caller().send_request::<()>("brew", json!({})).await.unwrap_err();
    app.finish().await;
    let line = log.line("the water is cold");
    for part in ["ERROR", "service=\"failing_barista\"", "handler failed", "logs.rs:"] {
        assert!(line.contains(part), "{part} is missing in: {line}");
    }
}

#[tokio::test]
async fn log_lines_name_the_trigger_and_the_handler_of_every_kind() {
    let log = Log::of_process();
    let app = TestApp::new(Daebus::new("roastery").register(triggers::blueprint())).await;
    app.publish("beans", json!({})).await;
    app.http().get("/coffee").await.assert_status(200);
    let mut socket = app.socket().await;
    socket.send("order", json!({}));
    app.service().tasks().run_now("clean").await.unwrap();
    app.start_thread("watch").await;
    app.settle().await;
    app.finish().await;
    for (text, trigger, handler) in [
        ("logged by on_start", "on_start", "starting"),
        ("logged by on_stop", "on_stop", "stopping"),
        ("logged by a listener", "listen", "beans"),
        ("logged by a route", "route", "served"),
        ("logged by a socket", "socket", "order"),
        ("logged by a schedule", "background", "clean"),
        ("logged by a thread", "thread", "watch"),
    ] {
        let line = log.line(text);
        let fields = format!("service=\"roastery\" trigger=\"{trigger}\" handler=\"{handler}\"");
        assert!(line.contains(&fields), "{fields} is missing in: {line}");
    }
}

#[tokio::test]
async fn the_start_lines_show_schedules_as_on_start_has_set_them() {
    #[background("banner_tick", 60)]
    async fn banner_tick() {}
    #[background("banner_paused", 60)]
    async fn banner_paused() {}
    #[on_start]
    async fn configure(tasks: Tasks) -> Result<(), BoxError> {
        tasks.set_interval("banner_tick", Duration::from_secs(5))?;
        Ok(tasks.pause("banner_paused")?)
    }

    let log = Log::of_process();
    let app =
        TestApp::new(Daebus::new("svc").register(blueprint_of!["b"; banner_tick, banner_paused, configure]));
    app.await.finish().await;
    assert!(log.line("background \"banner_tick\"").contains("(every 5s)"));
    assert!(log.line("background \"banner_paused\"").contains("(every 60s, paused)"));
}

#[tokio::test]
async fn the_timeout_of_a_handler_is_logged_once_per_episode_with_its_name() {
    #[action("dawdle", timeout = "1s")]
    async fn dawdle() {
        std::future::pending::<()>().await;
    }
    let log = Log::of_process();
    let app = TestApp::new(Daebus::new("slow_barista").register(blueprint_of!["coffee"; dawdle])).await;
    for _ in 0..3 {
        let call = app.caller().send_request::<()>("dawdle", json!({})).spawn();
        app.settle().await;
        app.advance(Duration::from_secs(2)).await;
        call.await.unwrap_err();
    }
    app.finish().await;
    let line = log.line("handler timed out");
    for part in ["WARN", "service=\"slow_barista\"", "handler=\"dawdle\"", "time limit", "logs.rs:"] {
        assert!(line.contains(part), "{part} is missing in: {line}");
    }
}
