//! Testing and linting.

use std::process::Command;
use std::time::Duration;

use crate::setup;
use crate::step::{Report, works};

/// How long compiling and running may take, each: many times what it takes on two cores.
const LONG: Duration = Duration::from_secs(30 * 60);

/// Features that have tests. `tls` has none that need it and a long build; the lints compile it.
const FEATURES: &str = "daebus/anyhow,daebus/blocking,daebus/testing";

/// All features but those of the tests' own crates, one of which is there to not compile.
const ALL_FEATURES: &str = "daebus/anyhow,daebus/testing,daebus/tls";

/// Sets the machine up, then runs every test there is.
pub(crate) fn test(report: &mut Report) {
    setup::run(report);
    // Tests start these as processes; building them here keeps the compiler's time out of the tests' time.
    report.run("build the examples", &mut cargo(&["build", "--package", "daebus-examples"]), LONG);
    if works("cargo", &["nextest", "--version"]) {
        report.run("tests", &mut cargo(&["nextest", "run", "--workspace", "--features", FEATURES]), LONG);
    } else {
        println!("   cargo-nextest isn't here; cargo test does as well");
        let arguments = ["test", "--workspace", "--features", FEATURES, "--all-targets", "--no-fail-fast"];
        report.run("tests", &mut cargo(&arguments), LONG);
    }
    report.run(
        "documentation's code",
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
