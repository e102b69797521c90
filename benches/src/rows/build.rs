//! Build times and dependencies, of Daebus alone.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use super::DAEBUS;
use crate::bench::Bench;
use crate::contest::{Contest, Figure};
use crate::processes::output;
use crate::report::Line;

/// The example that is built, and where its handlers are.
const EXAMPLE: &str = "quickstart";
const SOURCE: &str = "examples/src/bin/quickstart.rs";

/// How long a build may take.
const PATIENCE: Duration = Duration::from_secs(30 * 60);

/// Packages with sets of features, as `cargo tree` takes them.
const FEATURE_SETS: [(&str, &[&str]); 8] = [
    ("daebus without features", &["--package", "daebus", "--no-default-features"]),
    ("daebus", &["--package", "daebus"]),
    ("daebus with args", &["--package", "daebus", "--features", "args"]),
    ("daebus with testing", &["--package", "daebus", "--features", "testing"]),
    ("daebus with tls", &["--package", "daebus", "--features", "tls"]),
    ("daebus with all features", &["--package", "daebus", "--all-features"]),
    ("daebus-caller without features", &["--package", "daebus-caller", "--no-default-features"]),
    ("daebus-caller", &["--package", "daebus-caller"]),
];

pub(super) fn lines(bench: &Bench) -> Vec<Line> {
    let mut lines = Vec::new();
    for (name, arguments) in FEATURE_SETS {
        let figure = Figure::new(format!("crates of {name}"), "crates");
        lines.extend(Contest::new(vec![figure]).contender(DAEBUS, || crates(bench, arguments)).run(1));
    }
    let figures = vec![
        Figure::new(format!("build of {EXAMPLE} from nothing"), "s"),
        Figure::new(format!("build of {EXAMPLE} after a change of a handler"), "s"),
    ];
    lines.extend(Contest::new(figures).contender(DAEBUS, || times(bench)).run(1));
    lines
}

fn crates(bench: &Bench, arguments: &[&str]) -> Result<Vec<f64>, String> {
    let mut tree = Command::new("cargo");
    tree.args(["tree", "--edges", "normal,build", "--prefix", "none"]).args(arguments);
    let tree = output(tree.current_dir(&bench.root), PATIENCE)?.stdout;
    let tree = String::from_utf8_lossy(&tree);
    let crates: BTreeSet<&str> = tree.lines().map(|line| line.trim_end_matches(" (*)")).collect();
    Ok(vec![u32::try_from(crates.len()).map_or(f64::NAN, f64::from)])
}

/// Seconds from nothing, and after the source of the handlers has changed.
fn times(bench: &Bench) -> Result<Vec<f64>, String> {
    let folder = bench.target.join("bench/build");
    let _ = fs::remove_dir_all(&folder);
    let build = || {
        let start = Instant::now();
        let mut build = Command::new("cargo");
        build.args(["build", "--package", "daebus-examples", "--bin", EXAMPLE, "--target-dir"]).arg(&folder);
        output(build.current_dir(&bench.root), PATIENCE).map(|_| start.elapsed().as_secs_f64())
    };
    let times = build().and_then(|from_nothing| {
        let source = bench.root.join(SOURCE);
        let touched = File::options().append(true).open(&source);
        let touched = touched.and_then(|file| file.set_modified(SystemTime::now()));
        touched.map_err(|error| format!("{}: {error}", source.display()))?;
        Ok(vec![from_nothing, build()?])
    });
    let _ = fs::remove_dir_all(&folder);
    times
}
