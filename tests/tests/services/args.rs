//! Settings from flags, variables, a file and the code, and what is said about those that can't be.

#![allow(clippy::unwrap_used, clippy::expect_used)] // clippy's own exception ends at the test functions

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

use daebus::prelude::*;
use daebus_tests::{Process, RedisServer};

fn configured(arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_configured"));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("DAEBUS_") || ["RUST_LOG", "NOTIFY_SOCKET", "INVOCATION_ID"].contains(&&*name) {
            command.env_remove(name);
        }
    }
    command.args(arguments).envs(variables.iter().copied());
    command
}

fn output(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    configured(arguments, variables).output().unwrap()
}

/// A file of a test's own.
struct TempFile(PathBuf);

impl TempFile {
    fn new(text: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name =
            format!("daebus-args-{}-{}.toml", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::write(&path, text).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// What `--show-config` says of a setting: its value and its source.
fn shown(output: &Output, name: &str) -> (String, String) {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let line = text.lines().find(|line| line.split(' ').next() == Some(name));
    let line = line.unwrap_or_else(|| panic!("no {name} in:\n{text}"));
    let mut columns = line.split("  ").map(str::trim).filter(|column| !column.is_empty()).skip(1);
    (columns.next().unwrap().to_owned(), columns.next().unwrap().to_owned())
}

fn check(output: &Output, name: &str, value: &str, source: &str) {
    assert_eq!(shown(output, name), (value.to_owned(), source.to_owned()), "{name}");
}

#[test]
fn show_config_says_every_value_and_its_source() {
    let file =
        TempFile::new("bus = \"redis://u:secret@file:1\"\nlog = \"warn\"\n\n[room]\nname = \"attic\"\n");
    let output = output(
        &["--show-config", "--log-format", "json", "--config", file.path()],
        &[("DAEBUS_DRAIN", "90"), ("DAEBUS_NAME", "")],
    );
    check(&output, "name", "configured", "the code");
    check(&output, "bus", "redis://u:***@file:1", &format!("{}:1", file.path()));
    check(&output, "http", "127.0.0.1:0", "the code");
    check(&output, "log", "warn", &format!("{}:2", file.path()));
    check(&output, "log_format", "json", "the flag --log-format");
    check(&output, "drain", "90", "the variable DAEBUS_DRAIN");
    check(&output, "config", file.path(), "the flag --config");
}

#[test]
fn what_nobody_says_is_the_default() {
    let output = output(&["--show-config", "--nothing-in-code", "--name", "x"], &[]);
    for (name, value) in [
        ("bus", "memory://default"),
        ("http", "-"),
        ("log", "info"),
        ("log_format", "text"),
        ("drain", "30s"),
    ] {
        check(&output, name, value, "the default");
    }
}

#[test]
fn every_mistake_is_told_with_its_source_before_anything_runs() {
    let file = TempFile::new("drain = \"soon\"\ncolour = \"red\"\n");
    for show in [&[][..], &["--show-config"]] {
        let arguments = [&["--http", "nowhere"], show].concat();
        let variables =
            [("DAEBUS_CONFIG", file.path()), ("DAEBUS_LOG", "x=loud"), ("DAEBUS_URL", "h://u:secret@x")];
        let output = output(&arguments, &variables);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        for words in [
            "configured can't start",
            "the flag --http: \"nowhere\" is not an address",
            "the variable DAEBUS_LOG: \"x=loud\"",
            "the variable DAEBUS_URL: ",
            &format!("{}:1: \"soon\" is not a duration: write 30s", file.path()),
            &format!("{}:2: unknown setting \"colour\"", file.path()),
        ] {
            assert!(said.contains(words), "{words:?} is missing in:\n{said}");
        }
        assert!(!said.contains("secret"), "{said}");
    }
}

#[test]
fn without_a_name_it_says_how_to_give_one() {
    let output = output(&["--nothing-in-code"], &[]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && said.contains("pass --name, set DAEBUS_NAME"), "{said}");
}

#[test]
fn help_shows_the_services_arguments_beside_the_applications() {
    let output = output(&["--help"], &[]);
    let said = String::from_utf8(output.stdout).unwrap();
    for words in ["--room", "Service:", "--bus <URL>", "[env: DAEBUS_URL]", "--show-config"] {
        assert!(said.contains(words), "{words:?} is missing in:\n{said}");
    }
    let (of_application, of_service) = said.split_once("Service:").unwrap();
    assert!(of_application.contains("--room") && !of_service.contains("--room"), "{said}");
}

#[test]
fn an_application_reads_its_own_tables() {
    let file = TempFile::new(
        "bus = \"memory://x\"\n[[sensors]]\npin = 4\n[[sensors]]\npin = 7\n[room]\nname = \"attic\"\n",
    );
    let with_file = output(&["--pins", "--config", file.path()], &[]);
    assert_eq!(String::from_utf8(with_file.stdout).unwrap(), "attic 4 7\n");
    let by_variable = output(&["--pins"], &[("DAEBUS_CONFIG", file.path())]);
    assert_eq!(String::from_utf8(by_variable.stdout).unwrap(), "attic 4 7\n");
    let without = output(&["--pins"], &[]);
    assert_eq!(String::from_utf8(without.stdout).unwrap(), " \n");

    let wrong = TempFile::new("[[sensors]]\npin = 4\n[[sensors]]\npin = 700\n");
    let said = String::from_utf8(output(&["--pins", "--config", wrong.path()], &[]).stderr).unwrap();
    for words in [wrong.path(), "sensors[1].pin", "700"] {
        assert!(said.contains(words), "{words:?} is missing in:\n{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_runs_by_them() {
    let redis = RedisServer::start();
    let file = TempFile::new("http = \"127.0.0.1:0\"\ndrain = 1\n");
    let variables = [("DAEBUS_URL", redis.url()), ("DAEBUS_NAME", "wrong".to_owned())];
    let arguments =
        ["--config", file.path(), "--name", "thermostat", "--debug", "--room", "attic", "--nothing-in-code"];
    let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
    let mut process = Process::start(&mut configured(&arguments, &variables));
    process.line("thermostat is ready on redis://127.0.0.1");
    let caller = Caller::connect(&redis.url(), "thermostat").await.unwrap();
    assert_eq!(caller.send_request::<String>("room", ()).await.unwrap(), "attic");
    process.line("connected to the bus");
    process.signal("TERM");
    assert_eq!(process.wait().code(), Some(0), "{}", process.said());
}
