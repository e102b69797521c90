//! What systemd is told, by a process with a notify socket that the test holds the other end of.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)] // clippy's own exception ends at the test functions

use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use daebus_tests::{PATIENCE, Process, RedisServer};

/// The other end of a notify socket.
struct Systemd {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Systemd {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("daebus-notify-{}-{number}", std::process::id()));
        let socket = UnixDatagram::bind(&path).unwrap();
        Self { socket, path }
    }

    /// Starts the daemon as systemd would.
    fn start(&self, redis: &RedisServer, variables: &[(&str, &str)]) -> Process {
        // The watchdog is meant for one process, whose number isn't known before it runs.
        let mut command = Command::new("sh");
        command.args(["-c", "WATCHDOG_PID=$$ exec \"$0\"", env!("CARGO_BIN_EXE_daemon")]);
        for variable in ["RUST_LOG", "DAEBUS_LOG_FORMAT"] {
            command.env_remove(variable);
        }
        command.env("DAEBUS_URL", redis.url()).env("NOTIFY_SOCKET", &self.path).env("INVOCATION_ID", "test");
        Process::start(command.envs(variables.iter().copied()))
    }

    /// The next message, if there is one within that time.
    fn next(&self, within: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(within)).unwrap();
        let mut message = [0; 4096];
        let length = self.socket.recv(&mut message).ok()?;
        Some(String::from_utf8_lossy(&message[..length]).into_owned())
    }

    /// Reads until a message has this line in it, and returns all that was read.
    fn line(&self, line: &str) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        let mut lines = Vec::new();
        while !lines.iter().any(|said| said == line) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no {line:?} among {lines:?}");
            let message = self.next(left).unwrap_or_default();
            lines.extend(message.lines().map(str::to_owned));
        }
        lines
    }
}

impl Drop for Systemd {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

#[test]
fn it_is_ready_when_its_subscriptions_are_and_says_when_it_stops() {
    let systemd = Systemd::new();
    let redis = RedisServer::start();
    let mut daemon = systemd.start(&redis, &[]);
    let said = systemd.line("READY=1");
    assert_eq!(said[0], "READY=1", "nothing is said before");
    // Told at once, so what was just said was true.
    assert_eq!(redis.cli(&["PUBSUB", "NUMSUB", "daemon"]), "daemon\n1");
    assert!(systemd_or(&said, &systemd, &format!("STATUS=ready on {}", redis.url())));
    daemon.signal("TERM");
    let said = systemd.line("STOPPING=1");
    assert!(!said.contains(&"WATCHDOG=1".to_owned()), "nobody asked for a watchdog: {said:?}");
    assert!(daemon.is_running(), "it says so before it is gone");
    assert_eq!(daemon.wait().code(), Some(0), "{}", daemon.said());
}

/// Whether the line was said already, or is said now.
fn systemd_or(said: &[String], systemd: &Systemd, line: &str) -> bool {
    said.iter().any(|said| said == line) || !systemd.line(line).is_empty()
}

#[test]
fn nothing_is_ready_before_there_is_a_bus() {
    let systemd = Systemd::new();
    let mut redis = RedisServer::not_started(&[]);
    let daemon = systemd.start(&redis, &[]);
    daemon.line("the bus can't be reached");
    assert_eq!(systemd.next(Duration::from_millis(100)), None);
    redis.run();
    systemd.line("READY=1");
}

#[test]
fn without_waiting_for_the_bus_it_is_ready_and_says_what_it_waits_for() {
    let systemd = Systemd::new();
    let mut redis = RedisServer::not_started(&[]);
    let _daemon = systemd.start(&redis, &[("WAIT_FOR_BUS", "no")]);
    let said = systemd.line("READY=1");
    assert!(systemd_or(&said, &systemd, &format!("STATUS=waiting for {}", redis.url())));
    redis.run();
    systemd.line(&format!("STATUS=ready on {}", redis.url()));
    redis.kill();
    systemd.line(&format!("STATUS={} is away; reconnecting", redis.url()));
}

#[test]
fn the_watchdog_is_fed_while_messages_are_taken_in_and_no_longer() {
    const USEC: &str = "400000";
    let systemd = Systemd::new();
    let redis = RedisServer::start();
    let mut daemon = systemd.start(&redis, &[("WATCHDOG_USEC", USEC)]);
    systemd.line("READY=1");
    for _ in 0..3 {
        systemd.line("WATCHDOG=1");
    }
    // The log line about this message blocks the loop that takes messages in, and no other task.
    assert_eq!(redis.cli(&["PUBLISH", "daemon", "block"]), "1");
    daemon.line("blocked");
    // A silence that systemd would have killed it in.
    let deadline = Instant::now() + PATIENCE;
    while systemd.next(Duration::from_millis(600)).is_some() {
        assert!(
            Instant::now() < deadline,
            "the watchdog is fed while nothing is taken in:\n{}",
            daemon.said()
        );
    }
    daemon.tell("continue");
    systemd.line("WATCHDOG=1");
    daemon.signal("TERM");
    systemd.line("STOPPING=1");
    assert_eq!(daemon.wait().code(), Some(0), "{}", daemon.said());
}

#[test]
fn the_watchdog_is_fed_twice_within_its_period() {
    let systemd = Systemd::new();
    let redis = RedisServer::start();
    let daemon = systemd.start(&redis, &[("WATCHDOG_USEC", "2000000")]);
    systemd.line("READY=1");
    assert!(daemon.line("notifying systemd's watchdog").contains("every=1s"));
    systemd.line("WATCHDOG=1");
    let mut pauses: Vec<Duration> = (0..5)
        .map(|_| {
            let began = Instant::now();
            systemd.line("WATCHDOG=1");
            began.elapsed()
        })
        .collect();
    pauses.sort();
    // The median, since a busy machine delays some of them.
    assert!(pauses[2] < Duration::from_millis(1500), "{pauses:?}");
}

#[test]
fn a_signal_while_it_waits_for_the_bus_ends_it() {
    let systemd = Systemd::new();
    let redis = RedisServer::not_started(&[]);
    let mut daemon = systemd.start(&redis, &[("WAIT_FOR_BUS", "no")]);
    systemd.line("READY=1");
    daemon.signal("TERM");
    systemd.line("STOPPING=1");
    assert_eq!(daemon.wait().code(), Some(0), "{}", daemon.said());
}
