//! Testing and linting.

use std::process::Command;
use std::time::Duration;

use crate::setup;
use crate::step::{Report, works};

/// How long compiling and running may take, each: many times what it takes on two cores.
const LONG: Duration = Duration::from_secs(30 * 60);

/// Features that have tests. `tls` has none that need it and a long build; the lints compile it.
const FEATURES: &str = "daebus/anyhow,daebus/args,daebus/blocking,daebus/testing";

/// All features but those of the tests' own crates, one of which is there to not compile.
const ALL_FEATURES: &str = "daebus/anyhow,daebus/args,daebus/blocking,daebus/testing,daebus/tls";

/// Sets the machine up, then runs every test there is.
pub(crate) fn test(report: &mut Report) {
    setup::run(report);
    // Tests start these as processes; built here, they don't count towards the time of the tests.
    report.run("compile the examples", &mut cargo(&["build", "--package", "daebus-examples"]), LONG);
    if works("cargo", &["nextest", "--version"]) {
        let nextest = ["nextest", "run", "--workspace", "--features", FEATURES];
        if report.run("compile the tests", cargo(&nextest).arg("--no-run"), LONG) {
            report.run("run the tests", &mut cargo(&nextest), LONG);
        }
    } else {
        println!("   cargo-nextest is not installed; running cargo test instead");
        let test = ["test", "--workspace", "--features", FEATURES, "--all-targets"];
        if report.run("compile the tests", cargo(&test).arg("--no-run"), LONG) {
            report.run("run the tests", cargo(&test).arg("--no-fail-fast"), LONG);
        }
    }
    report.run(
        "compile and run the code in the documentation",
        &mut cargo(&["test", "--workspace", "--features", FEATURES, "--doc"]),
        LONG,
    );
}

/// Formatting, clippy and the documentation.
pub(crate) fn lint(report: &mut Report) {
    report.run("formatting", &mut cargo(&["fmt", "--all", "--check"]), LONG);
    let clippy =
        ["clippy", "--workspace", "--all-targets", "--features", ALL_FEATURES, "--", "-D", "warnings"];
    report.run("clippy", &mut cargo(&clippy), LONG);
    let doc = ["doc", "--workspace", "--features", ALL_FEATURES, "--no-deps"];
    report.run("documentation", cargo(&doc).env("RUSTDOCFLAGS", "-D warnings"), LONG);
}

fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.args(arguments);
    command
}
