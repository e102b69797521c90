//! `cargo xtask fuzz`: runs the fuzz targets under libFuzzer.

use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::step::{Report, works};

/// The time for compiling the targets with the sanitizer.
const COMPILE: Duration = Duration::from_secs(30 * 60);

/// The options of `cargo xtask fuzz`.
#[derive(Debug)]
pub(crate) struct Options {
    /// How long each target runs.
    seconds: u64,
    /// The targets to run; all of them if empty.
    targets: Vec<String>,
}

impl Options {
    /// Reads `[--seconds N] [TARGET…]`.
    ///
    /// # Errors
    ///
    /// Returns a sentence about an unknown option or a wrong number.
    pub(crate) fn read(arguments: &[&str]) -> Result<Self, String> {
        let mut options = Self { seconds: 60, targets: Vec::new() };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match *argument {
                "--seconds" => {
                    let seconds = arguments.next().and_then(|seconds| seconds.parse().ok());
                    options.seconds = seconds.ok_or("--seconds needs a number, as in --seconds 60")?;
                }
                option if option.starts_with('-') => {
                    return Err(format!("cargo xtask fuzz has no option {option:?}; it has --seconds N"));
                }
                target => options.targets.push(target.to_owned()),
            }
        }
        Ok(options)
    }
}

/// Installs cargo-fuzz if it is missing, compiles the targets and runs each of them.
pub(crate) fn run(report: &mut Report, options: &Options) {
    if !report.step("cargo-fuzz", |_| tools()) {
        return;
    }
    let targets = match targets(&options.targets) {
        Ok(targets) => targets,
        Err(reason) => {
            report.step("targets", |_| Err(reason));
            return;
        }
    };
    if !report.run("compile the targets", &mut cargo_fuzz(&["build"]), COMPILE) {
        return;
    }
    for target in targets {
        // New inputs are written to the first folder. The corpus in the repository is only read.
        let found = format!("fuzz/target/corpus/{target}");
        if let Err(error) = fs::create_dir_all(crate::root().join(&found)) {
            report.step(&target, |_| Err(format!("{found}: {error}")));
            continue;
        }
        let corpus = format!("fuzz/corpus/{target}");
        let time = format!("-max_total_time={}", options.seconds);
        let limits = ["-max_len=16384", "-timeout=5", "-rss_limit_mb=1024", "-print_final_stats=1", &time];
        let mut fuzz = cargo_fuzz(&["run", &target, &found, &corpus, "--"]);
        report.run(&target, fuzz.args(limits), COMPILE + Duration::from_secs(options.seconds));
    }
}

fn cargo_fuzz(arguments: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.args(["+nightly", "fuzz"]).args(arguments);
    command
}

fn tools() -> Result<(), String> {
    if !works("cargo", &["+nightly", "--version"]) {
        return Err(
            "libFuzzer needs a nightly compiler; install it with `rustup toolchain install nightly`".into()
        );
    }
    if works("cargo", &["fuzz", "--version"]) {
        return Ok(());
    }
    println!("   cargo-fuzz is missing; installing it");
    let mut install = Command::new("cargo");
    crate::step::bounded(install.args(["install", "--locked", "cargo-fuzz"]), COMPILE)
}

/// Returns the targets to run, in alphabetical order.
fn targets(chosen: &[String]) -> Result<Vec<String>, String> {
    let folder = crate::root().join("fuzz/targets");
    let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut all: Vec<String> =
        entries.filter_map(|entry| Some(entry.ok()?.path().file_stem()?.to_str()?.to_owned())).collect();
    all.sort();
    if let Some(unknown) = chosen.iter().find(|name| !all.contains(name)) {
        return Err(format!("there is no target {unknown:?}; the targets are {}", all.join(", ")));
    }
    all.retain(|name| chosen.is_empty() || chosen.contains(name));
    Ok(all)
}
