//! Testing and linting.

use std::fs::{self, File};
use std::process::Command;
use std::time::Duration;

use crate::setup;
use crate::step::{Report, bounded, works};

/// How long compiling and running may take, each: many times what it takes on two cores.
const LONG: Duration = Duration::from_secs(30 * 60);

/// The limit for building the book, and for packaging, including the attempts to reach crates.io without a network.
const SHORT: Duration = Duration::from_secs(3 * 60);

/// Features that have tests. `tls` has none that need it and a long build; the lints compile it.
const FEATURES: &str = "daebus/anyhow,daebus/args,daebus/blocking,daebus/garde,daebus/testing";

/// All features but those of the tests' own crates, one of which is there to not compile.
const ALL_FEATURES: &str =
    "daebus/anyhow,daebus/args,daebus/blocking,daebus/garde,daebus/testing,daebus/tls,daebus-cli/tls";

/// Sets the machine up, then runs every test.
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
    // Without the driver, other code runs: the bus URLs that are refused, and passwords masked by hand.
    let without_redis = ["test", "--package", "daebus-caller", "--no-default-features", "--lib"];
    report.run("test the caller without redis", &mut cargo(&without_redis), LONG);
    report.run(
        "compile and run the code in the documentation",
        &mut cargo(&["test", "--workspace", "--features", FEATURES, "--doc"]),
        LONG,
    );
}

/// The crates that are published, each after those that it depends on.
const PUBLISHED: [&str; 4] = ["daebus-macros", "daebus-caller", "daebus", "daebus-cli"];

/// Formatting, clippy, the documentation, the book and the packages for crates.io.
pub(crate) fn lint(report: &mut Report) {
    report.run("formatting", &mut cargo(&["fmt", "--all", "--check"]), LONG);
    let clippy =
        ["clippy", "--workspace", "--all-targets", "--features", ALL_FEATURES, "--", "-D", "warnings"];
    report.run("clippy", &mut cargo(&clippy), LONG);
    let bare = ["clippy", "--package", "daebus", "--package", "daebus-caller", "--no-default-features"];
    report.run("clippy without default features", cargo(&bare).args(["--", "-D", "warnings"]), LONG);
    let doc = ["doc", "--workspace", "--features", ALL_FEATURES, "--no-deps"];
    report.run("documentation", cargo(&doc).env("RUSTDOCFLAGS", "-D warnings"), LONG);
    // CI doesn't build this workspace, and would not notice that a new dependency is missing there.
    let locked = ["update", "--workspace", "--locked", "--manifest-path", "benches/peers/Cargo.toml"];
    report.run("lock file of the benchmarks", cargo(&locked).current_dir(crate::root()), SHORT);
    if works("mdbook", &["--version"]) {
        report.step("the book", |_| book());
    } else {
        println!("   mdbook is not installed; skipping the book (cargo install mdbook)");
    }
    report.step("packages for crates.io", |_| packages());
}

/// Builds the book into target/book. Warnings are errors.
fn book() -> Result<(), String> {
    let target = crate::root().join("target");
    let messages = target.join("book.log");
    let log = File::create(&messages)
        .map_err(|error| format!("{} can't be written: {error}", messages.display()))?;
    let mut mdbook = Command::new("mdbook");
    mdbook.args(["build", "docs", "--dest-dir"]).arg(target.join("book")).env("MDBOOK_LOG", "warn");
    let built = bounded(mdbook.current_dir(crate::root()).stderr(log), SHORT);
    let messages = fs::read_to_string(&messages).unwrap_or_default();
    print!("{messages}");
    built?;
    if messages.contains("WARN") { Err("mdbook reported warnings".to_owned()) } else { Ok(()) }
}

/// Packages what would be published, and uploads nothing. Without verifying: the other steps compile the same code.
fn packages() -> Result<(), String> {
    // Uncommitted changes are checked as well.
    let unverified = ["--no-verify", "--allow-dirty"];
    let mut publish = cargo(&["publish", "--workspace", "--dry-run"]);
    let Err(reason) = bounded(publish.args(unverified).current_dir(crate::root()), SHORT) else {
        return Ok(());
    };
    println!("   {reason}; packaging again without crates.io, in case it can't be reached");
    let mut package = cargo(&["package", "--offline"]);
    package.args(PUBLISHED.iter().flat_map(|name| ["--package", name]));
    bounded(package.args(unverified).current_dir(crate::root()), SHORT)
}

fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.args(arguments);
    command
}
