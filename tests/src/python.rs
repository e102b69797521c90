//! The Python package `daebus` at the other end.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::{Process, RedisServer, profile_dir, until, workspace};

/// A command that runs Python where the package is installed.
///
/// # Panics
///
/// When it isn't.
pub fn python() -> Command {
    let venv = std::env::var_os("DAEBUS_INTEROP_VENV").map_or_else(
        || profile_dir().parent().map(|target| target.join("interop-venv")).unwrap_or_default(),
        PathBuf::from,
    );
    let interpreter = venv.join("bin/python");
    assert!(
        interpreter.exists() && venv.join("requirements.installed").exists(),
        "the Python package daebus isn't installed in {}: run `cargo xtask setup`",
        venv.display()
    );
    let mut command = Command::new(interpreter);
    command.arg("-u").env("PYTHONUTF8", "1").current_dir(workspace().join("tests/interop"));
    command
}

/// A `DaebusCaller` of the Python package, in a process of its own.
#[derive(Debug)]
pub struct PythonCaller {
    process: Process,
    read: usize,
}

impl PythonCaller {
    /// Makes a caller of `service`.
    pub fn of(service: &str, redis: &RedisServer) -> Self {
        let port = redis.port().to_string();
        let process = Process::start(python().args(["caller.py", service, &port]));
        let (read, _) = process.line_from(0, "ready");
        Self { process, read }
    }

    /// `send_request`: the answer, or the exception as `Type: words`; and the progress that was heard.
    pub fn request(&mut self, action: &str, payload: &Value) -> (Result<Value, String>, Vec<Value>) {
        self.request_json(action, &payload.to_string(), 10.0)
    }

    /// The same, the payload in JSON as Python reads it (with `NaN`), and a timeout in seconds.
    pub fn request_json(
        &mut self,
        action: &str,
        payload: &str,
        timeout: f64,
    ) -> (Result<Value, String>, Vec<Value>) {
        let said = self.run(&format!(
            r#"{{"do": "send_request", "action": {}, "timeout": {timeout}, "payload": {payload}}}"#,
            json!(action)
        ));
        let progress = said["progress"].as_array().cloned().unwrap_or_default();
        match said.get("error") {
            Some(error) => (Err(error.as_str().unwrap_or_default().to_owned()), progress),
            None => (Ok(said["answer"].clone()), progress),
        }
    }

    /// `send_message`: the receivers' number.
    pub fn message(&mut self, channel: &str, payload: &Value) -> Value {
        self.run(&json!({"do": "send_message", "channel": channel, "payload": payload}).to_string())["answer"]
            .clone()
    }

    /// `send_to_service`: the receivers' number.
    pub fn to_service(&mut self, payload: &Value, action: Option<&str>) -> Value {
        self.run(&json!({"do": "send_to_service", "payload": payload, "action": action}).to_string())["answer"]
            .clone()
    }

    fn run(&mut self, command: &str) -> Value {
        self.process.tell(command);
        let (read, line) = self.process.line_from(self.read, "said ");
        self.read = read;
        let json = line.trim_start_matches("said ");
        serde_json::from_str(json).unwrap_or_else(|error| panic!("{error} in {line}"))
    }
}

/// A service written with the Python package, in a process of its own; see `tests/interop/service.py`.
#[derive(Debug)]
pub struct PythonService {
    /// The process.
    pub process: Process,
}

impl PythonService {
    /// Starts it under a name and waits until it has subscribed.
    pub fn start(name: &str, redis: &RedisServer) -> Self {
        let port = redis.port().to_string();
        let process = Process::start(python().args(["service.py", name, &port]));
        process.line("ready");
        for channel in [name, "to_python"] {
            until("the Python service subscribes", || {
                redis.cli(&["PUBSUB", "NUMSUB", channel]).ends_with('1')
            });
        }
        Self { process }
    }
}
