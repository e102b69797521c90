//! The program `daebus` as a process.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use daebus_tests::RedisServer;
use serde_json::Value;

/// What the program has printed, and its exit code.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// The lines of the standard output, each with one blank between two words.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    }

    /// The objects of the standard output, one per line.
    pub(crate) fn objects(&self) -> Vec<Value> {
        let read = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
        self.out.lines().map(read).inspect(|value: &Value| assert!(value.is_object(), "{value}")).collect()
    }

    /// The object on the standard error.
    pub(crate) fn error(&self) -> Value {
        serde_json::from_str(&self.err).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// Checks the exit code.
    pub(crate) fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }
}

/// A command that runs the program on this server.
pub(crate) fn daebus(redis: &RedisServer, arguments: &[&str]) -> Command {
    let mut command = program(arguments);
    command.env("DAEBUS_URL", redis.url());
    command
}

/// A command that runs the program.
pub(crate) fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_daebus"));
    command.args(arguments).env_remove("DAEBUS_URL").env_remove("CLICOLOR_FORCE").stdin(Stdio::null());
    command
}

/// Runs the program on this server to its end.
pub(crate) fn run(redis: &RedisServer, arguments: &[&str]) -> Ran {
    ran(&daebus(redis, arguments).output().unwrap())
}

/// The same with a standard input.
pub(crate) fn run_with_input(redis: &RedisServer, arguments: &[&str], input: &str) -> Ran {
    let mut command = daebus(redis, arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    ran(&child.wait_with_output().unwrap())
}

pub(crate) fn ran(output: &Output) -> Ran {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    Ran { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
}
