//! `top`, in a pseudo-terminal and without one.

use std::path::Path;

use daebus_tests::{Process, RedisServer, python, until};

use crate::program::{daebus, run};
use crate::service;

/// What a terminal is sent to leave the second screen, and to show the cursor.
const LEAVE: &str = "\u{1b}[?1049l";
const SHOW_CURSOR: &str = "\u{1b}[?25h";

/// The program in a terminal of 120 columns and 30 lines.
struct InTerminal {
    process: Process,
}

impl InTerminal {
    fn start(redis: &RedisServer, arguments: &[&str]) -> Self {
        let command = daebus(redis, arguments);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/terminal.py");
        let mut terminal = python();
        terminal.arg(script).arg(command.get_program()).args(command.get_args());
        terminal.env("DAEBUS_URL", redis.url()).env("TERM", "xterm-256color").env_remove("NO_COLOR");
        Self { process: Process::start(&mut terminal) }
    }

    /// Everything that the program has written to the terminal.
    fn written(&self) -> String {
        let said = self.process.said();
        let chunks = said.lines().filter_map(|line| line.strip_prefix("out "));
        chunks.map(|chunk| serde_json::from_str::<String>(chunk).unwrap()).collect()
    }

    fn shows(&self, words: &str) {
        until(words, || self.written().contains(words));
    }

    fn press(&mut self, key: &str) {
        self.process.tell(key);
    }

    /// Checks that the program ends with this code, and leaves the terminal as it was.
    fn ends_restored(mut self, code: i32) {
        self.process.line(&format!("exit {code} restored"));
        assert!(self.process.wait().success(), "{}", self.process.said());
        let written = self.written();
        let left = written.rfind(LEAVE).expect("the second screen is left");
        let shown = written.rfind(SHOW_CURSOR).expect("the cursor is shown");
        assert!(written.rfind("\u{1b}[?25l").is_none_or(|hidden| hidden < shown), "the cursor is hidden");
        assert!(!written[left..].contains("daebus top"), "the table is drawn on the first screen");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_shows_services_and_instances_until_q_is_pressed() {
    let redis = RedisServer::start();
    let (service, _) = service::start(&redis, "user_service@1").await;
    let mut top = InTerminal::start(&redis, &["top", "--interval", "50ms"]);
    top.shows("daebus top");
    top.shows("user_service@1");
    top.shows("running");
    for _ in 0..10 {
        run(&redis, &["call", "user_service", "get_user", r#"{"id": 7}"#]).ended(0);
    }
    until("a latency is shown", || ["µs", "ms"].iter().any(|unit| top.written().contains(unit)));
    top.press("q");
    top.ends_restored(0);
    until("the inbox is left", || redis.cli(&["PUBSUB", "CHANNELS", "caller:*"]).is_empty());
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_and_a_signal_restore_the_terminal() {
    let redis = RedisServer::start();
    let (service, _) = service::start(&redis, "user_service@1").await;
    let mut top = InTerminal::start(&redis, &["top", "user_service"]);
    top.shows("user_service@1");
    top.press("^C");
    top.ends_restored(0);

    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        let top = InTerminal::start(&redis, &["top", "user_service"]);
        top.shows("user_service@1");
        let line = top.process.line("pid ");
        let pid = line.trim_start_matches("pid ");
        assert!(std::process::Command::new("kill").args([signal, pid]).status().unwrap().success());
        top.ends_restored(code);
    }
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_terminal_the_rates_are_printed_as_json() {
    let redis = RedisServer::start();
    let (service, _) = service::start(&redis, "user_service@1").await;
    let top = ["top", "user_service", "--json", "--interval", "20ms", "-n", "3"];
    let ran = run(&redis, &top).ended(0);
    let rows = ran.objects();
    assert_eq!(rows.len(), 3, "{rows:?}");
    for row in &rows {
        assert_eq!((&row["service"], &row["instance"]), (&"user_service".into(), &"user_service@1".into()));
        assert_eq!(
            (&row["state"], &row["requests_per_second"], &row["in_flight"]),
            (&"running".into(), &0.0.into(), &0.into())
        );
    }
    let ran = run(&redis, &["top"]).ended(2);
    assert!(ran.err.contains("top needs a terminal"), "{ran:?}");
    service.stop().await.unwrap();
}
