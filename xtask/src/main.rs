//! `cargo xtask`: sets a machine up, tests, lints. What it runs it says, and how long each step took.

mod checks;
mod setup;
mod step;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use step::Report;

const HELP: &str = "\
cargo xtask <command>

  setup   install what the tests need and this machine lacks: redis-server and chromium (through apt), and the Python
          packages daebus, requests and websockets in a virtual environment of their own, target/interop-venv
  test    setup, then every test: units, buses, faults, interop with Python, a browser, examples, documentation
  lint    rustfmt, clippy and rustdoc, warnings being errors
  ci      lint, then test

Every step runs even when an earlier one failed; the end says which did, and the exit code is 1 then.";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next();
    if let Some(extra) = arguments.next() {
        eprintln!("cargo xtask takes one command and no further argument; {extra:?} is too much\n\n{HELP}");
        return ExitCode::from(2);
    }
    let mut report = Report::new();
    match command.as_deref() {
        None | Some("help" | "-h" | "--help") => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Some("setup") => setup::run(&mut report),
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

/// The workspace, wherever in it we were called.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}
