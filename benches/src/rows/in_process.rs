//! A call within one process, on one thread.

use std::process::Command;
use std::time::Duration;

use super::DAEBUS;
use crate::bench::{Bench, installed};
use crate::contest::{Contest, Figure};
use crate::figures::{Goal, Values};
use crate::processes::{output, results};
use crate::report::Line;

const TARPC: &str = "tarpc";
const TOKIO: &str = "mpsc + oneshot";

/// Calls whose allocations are counted.
const CALLS: u32 = 20_000;

/// Calls of the two runs under callgrind, whose difference leaves out everything but the calls.
const COUNTED: [u32; 2] = [500, 2_500];

const PATIENCE: Duration = Duration::from_secs(120);

pub(super) fn lines(bench: &Bench) -> Vec<Line> {
    let what = |figure: &str| format!("call in process, one thread: {figure}");
    let figure = Figure::new(what("instructions"), "per call").goal(Goal::at_most(25_000.0, 15_000.0));
    let mut lines = contest(vec![figure], |peer| instructions(bench, peer)).run(bench.rounds);
    let figures = vec![
        Figure::new(what("allocations"), "per call").goal(Goal::at_most(30.0, 20.0)),
        Figure::new(what("bytes allocated"), "per call").goal(Goal::at_most(5_000.0, 3_000.0)),
        Figure::new(what("rate, 1 in flight"), "calls/s"),
    ];
    lines.extend(contest(figures, |peer| allocations(bench, peer)).run(bench.rounds));
    lines
}

fn contest<'a>(figures: Vec<Figure>, measure: impl Fn(&str) -> Values + Copy + 'a) -> Contest<'a> {
    Contest::new(figures)
        .contender(DAEBUS, move || measure("daebus"))
        .contender(TARPC, move || measure("tarpc"))
        .contender(TOKIO, move || measure("tokio"))
}

fn allocations(bench: &Bench, peer: &str) -> Values {
    let results = results(bench.program("in_process").args([peer, &CALLS.to_string()]), PATIENCE)?;
    ["allocations", "bytes", "rate"].iter().map(|name| results.one(name)).collect()
}

fn instructions(bench: &Bench, peer: &str) -> Values {
    let valgrind = installed("valgrind")?;
    let count = |calls: u32| -> Result<f64, String> {
        let mut command = Command::new(&valgrind);
        command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
        command.arg(bench.program("in_process").get_program()).args([peer, &calls.to_string()]);
        let report = String::from_utf8_lossy(&output(&mut command, PATIENCE)?.stderr).into_owned();
        collected(&report).ok_or_else(|| "callgrind reported no number of instructions".to_owned())
    };
    let [fewer, more] = COUNTED;
    Ok(vec![(count(more)? - count(fewer)?) / f64::from(more - fewer)])
}

/// The number in callgrind's line `==123== Collected : 4567`.
fn collected(report: &str) -> Option<f64> {
    let line = report.lines().find(|line| line.contains("Collected"))?;
    line.rsplit(':').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_instructions_is_read_from_the_report() {
        let report = "==7== Events    : Ir\n==7== Collected : 81234567\n==7==\n";
        assert_eq!(collected(report), Some(81_234_567.0));
        assert_eq!(collected("==7== Events    : Ir\n"), None);
    }
}
