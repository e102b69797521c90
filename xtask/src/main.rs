//! `cargo xtask`: sets a machine up, tests, lints. What it runs it says, and how long each step took.

mod checks;
mod faults;
mod fuzz;
mod new;
mod setup;
mod step;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use step::Report;

const HELP: &str = "\
cargo xtask <command>

  setup   install redis-server and chromium (with apt) if missing, and the Python packages daebus, requests and websockets
          into target/interop-venv; with --bench, install nats-server and valgrind as well
  test    run setup, compile all tests, then run them: unit tests, buses, failures of Redis, interoperation with Python,
          a browser, examples, documentation
  lint    run rustfmt, clippy and rustdoc with warnings as errors, build the book if mdbook is installed, and package the
          crates without publishing them
  ci      run lint, then test
  bench   measure Daebus beside its peers (Redis driver by hand, NATS, axum, tarpc, Python) in one run, and write the table
          to target/bench; cargo xtask bench --help lists its options
  faults  repeat each fault of tests/tests/faults 50 times, or N times with --cycles N
  fuzz    [--seconds N] [TARGET...]: run the fuzz targets, each for 60 s by default, on a nightly compiler; CI only replays
          their corpora, as a test
  new     NAME PATH: create a project from templates/service, as in cargo xtask new room-thermostat ../thermostat

A failed step doesn't stop the others, but tests run only if they compile. The summary at the end names the failed
steps, and the exit code is 1.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut arguments = arguments.iter().map(String::as_str);
    let command = arguments.next();
    if command == Some("new") {
        return new(&arguments.collect::<Vec<_>>());
    }
    if command == Some("bench") {
        return bench(&arguments.collect::<Vec<_>>());
    }
    if command == Some("fuzz") {
        return fuzz(&arguments.collect::<Vec<_>>());
    }
    if command == Some("faults") {
        return run_faults(&arguments.collect::<Vec<_>>());
    }
    let for_benchmarks = command == Some("setup") && arguments.clone().eq(["--bench"]);
    if let Some(extra) = arguments.next().filter(|_| !for_benchmarks) {
        eprintln!("cargo xtask takes one command and no further argument; {extra:?} is too much\n\n{HELP}");
        return ExitCode::from(2);
    }
    let mut report = Report::new();
    match command {
        None | Some("help" | "-h" | "--help") => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Some("setup") => {
            setup::run(&mut report);
            if for_benchmarks {
                setup::benchmarks(&mut report);
            }
        }
        Some("test") => checks::test(&mut report),
        Some("lint") => checks::lint(&mut report),
        Some("ci") => {
            checks::lint(&mut report);
            checks::test(&mut report);
        }
        Some(unknown) => {
            eprintln!("there is no command {unknown:?}\n\n{HELP}");
            return ExitCode::from(2);
        }
    }
    report.finish()
}

fn run_faults(arguments: &[&str]) -> ExitCode {
    let Some(cycles) = faults::cycles(arguments) else {
        eprintln!(
            "cargo xtask faults takes nothing, or a number greater than 0, as in cargo xtask faults --cycles 10"
        );
        return ExitCode::from(2);
    };
    let mut report = Report::new();
    faults::run(&mut report, cycles);
    report.finish()
}

fn new(arguments: &[&str]) -> ExitCode {
    let [name, path] = arguments else {
        eprintln!(
            "cargo xtask new takes a name and a path, as in cargo xtask new room-thermostat ../thermostat"
        );
        return ExitCode::from(2);
    };
    match new::run(name, Path::new(path)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn fuzz(arguments: &[&str]) -> ExitCode {
    match fuzz::Options::read(arguments) {
        Ok(options) => {
            let mut report = Report::new();
            fuzz::run(&mut report, &options);
            report.finish()
        }
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::from(2)
        }
    }
}

/// Runs the harness of the benchmarks, which is a package of its own.
fn bench(arguments: &[&str]) -> ExitCode {
    let mut harness = Command::new("cargo");
    harness.args(["run", "--quiet", "--package", "daebus-benches", "--"]).args(arguments);
    match harness.current_dir(root()).env("DAEBUS_INTEROP_VENV", setup::venv()).status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cargo can't be started: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The workspace, wherever in it we were called.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}
