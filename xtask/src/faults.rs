//! `cargo xtask faults`: the tests of tests/tests/faults, each of which repeats its fault.

use std::process::Command;
use std::time::Duration;

use crate::setup;
use crate::step::Report;

/// How often each fault is repeated by default.
const CYCLES: u32 = 50;

/// Many times what 50 cycles take on two cores.
const LONG: Duration = Duration::from_secs(3 * 60 * 60);

/// Reads the arguments: none, or `--cycles N`.
pub(crate) fn cycles(arguments: &[&str]) -> Option<u32> {
    match arguments {
        [] => Some(CYCLES),
        ["--cycles", cycles] => cycles.parse().ok().filter(|cycles| *cycles > 0),
        _ => None,
    }
}

pub(crate) fn run(report: &mut Report, cycles: u32) {
    setup::run(report);
    let mut tests = Command::new("cargo");
    tests.args(["nextest", "run", "--profile", "faults", "--package", "daebus-tests", "--test", "services"]);
    tests.args(["--success-output", "final", "faults::"]).env("DAEBUS_FAULT_CYCLES", cycles.to_string());
    report.run("repeat the faults", &mut tests, LONG);
}
