//! The options of a run, and where its programs are.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use clap::Parser;

use crate::processes::{Results, Server, free_port, results};
use crate::rows::Row;

/// How a missing program is installed.
const SETUP: &str = "cargo xtask setup --bench installs it";

/// How long a program may take beyond the time that it measures.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Parser)]
#[command(
    name = "daebus-benches",
    bin_name = "cargo xtask bench",
    about = "Measures Daebus beside its peers in one run"
)]
pub(crate) struct Options {
    /// Measure only these rows
    #[arg(long, value_name = "ROW", num_args = 1.., value_enum)]
    pub(crate) only: Vec<Row>,
    /// Measure how long `quickstart` builds as well, which takes minutes
    #[arg(long)]
    pub(crate) build: bool,
    /// Draw the plots of docs/src/performance instead: the cost of a call as one quantity grows
    #[arg(long, conflicts_with_all = ["only", "build"])]
    pub(crate) plots: bool,
    /// Number of rounds [default: 3, or 1 with --quick]
    #[arg(long)]
    rounds: Option<usize>,
    /// Seconds of one measurement, after a warm-up of a quarter of that [default: 3, or 0.5 with --quick]
    #[arg(long)]
    seconds: Option<f64>,
    /// One short round, to see whether everything works; the figures mean little
    #[arg(long)]
    quick: bool,
}

/// One run.
pub(crate) struct Bench {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
    pub(crate) rounds: usize,
    pub(crate) seconds: f64,
}

impl Bench {
    /// Builds the programs that are compared.
    pub(crate) fn new(options: &Options) -> Result<Self, String> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = here.parent().unwrap_or(here).to_path_buf();
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
        let (rounds, seconds) = if options.quick { (1, 0.5) } else { (3, 3.0) };
        let bench = Self {
            target: root.join(target),
            root,
            rounds: options.rounds.unwrap_or(rounds).max(1),
            seconds: options.seconds.unwrap_or(seconds).max(0.1),
        };
        bench.build_programs()?;
        Ok(bench)
    }

    fn build_programs(&self) -> Result<(), String> {
        eprintln!("== building the programs that are compared, in benches/peers");
        let mut build = Command::new("cargo");
        build.args(["build", "--release", "--locked", "--bins", "--target-dir"]).arg(&self.target);
        let status = build.current_dir(self.root.join("benches/peers")).status();
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("cargo build in benches/peers ended with {status}")),
            Err(error) => Err(format!("cargo can't be started: {error}")),
        }
    }

    /// A program of `benches/peers`.
    pub(crate) fn program(&self, name: &str) -> Command {
        let path = self.target.join("release").join(name).with_extension(std::env::consts::EXE_EXTENSION);
        let mut command = Command::new(path);
        // Of these, a variable that happens to be set would change what is measured.
        for variable in ["DAEBUS_URL", "DAEBUS_LOG", "DAEBUS_LOG_FORMAT", "RUST_LOG", "NOTIFY_SOCKET"] {
            command.env_remove(variable);
        }
        command
    }

    /// The program `contender` in one of its modes.
    pub(crate) fn contender(&self, arguments: &[&str]) -> Command {
        let mut command = self.program("contender");
        command.args(arguments);
        command
    }

    /// Runs a contender for the time of one measurement.
    pub(crate) fn results(&self, command: &mut Command) -> Result<Results, String> {
        let warm_up = self.warm_up().to_string();
        command.args(["--warm-up", &warm_up, "--seconds", &self.seconds.to_string()]);
        results(command, Duration::from_secs_f64(self.seconds + self.warm_up()) + PATIENCE)
    }

    /// The same; returns how often per second.
    pub(crate) fn rate(&self, command: &mut Command) -> Result<f64, String> {
        self.results(command)?.one("rate")
    }

    /// Seconds before a measurement begins.
    pub(crate) fn warm_up(&self) -> f64 {
        self.seconds / 4.0
    }

    /// A command that runs a script of `benches/peers/python` where the Python package is installed.
    pub(crate) fn python(&self, script: &str) -> Result<Command, String> {
        let venv = std::env::var_os("DAEBUS_INTEROP_VENV")
            .map_or_else(|| self.target.join("interop-venv"), PathBuf::from);
        let interpreter = venv.join("bin/python");
        if !interpreter.exists() {
            return Err("the Python package daebus is not installed; cargo xtask setup installs it".into());
        }
        let mut command = Command::new(interpreter);
        command.arg("-u").arg(self.root.join("benches/peers/python").join(script));
        Ok(command)
    }

    /// What the figures depend on.
    pub(crate) fn conditions(&self) -> String {
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let commit =
            Command::new("git").args(["rev-parse", "--short", "HEAD"]).current_dir(&self.root).output();
        let commit = commit.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
        format!(
            "Commit {}, {cores} cores, medians of {} rounds of {} s",
            commit.unwrap_or_default(),
            self.rounds,
            self.seconds
        )
    }
}

/// Starts a Redis server without persistence. Returns its port as well.
pub(crate) fn redis() -> Result<(Server, u16), String> {
    let port = free_port()?;
    let mut command = Command::new(installed("redis-server")?);
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
    command.args(["--save", "", "--appendonly", "no", "--daemonize", "no"]);
    Ok((Server::on_port(&mut command, port)?, port))
}

/// Starts a NATS server. Returns its port as well.
pub(crate) fn nats() -> Result<(Server, u16), String> {
    let port = free_port()?;
    let mut command = Command::new(installed("nats-server")?);
    command.args(["--addr", "127.0.0.1", "--port", &port.to_string()]);
    Ok((Server::on_port(&mut command, port)?, port))
}

/// Finds an installed program. Debian installs servers into a folder that not every user's path has.
pub(crate) fn installed(name: &str) -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    let found = folders.map(|folder| folder.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| format!("{name} is not installed; {SETUP}"))
}

/// Writes a file, and creates its folder if it is missing.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), String> {
    let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(path, text));
    written.map_err(|error| format!("{}: {error}", path.display()))
}
