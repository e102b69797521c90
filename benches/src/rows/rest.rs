//! A service that does nothing: its memory, and the time until it is ready.

use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::{DAEBUS, PYTHON};
use crate::bench::{Bench, redis};
use crate::contest::{Contest, Figure};
use crate::figures::{Goal, Values};
use crate::processes::{Server, until_subscribers};
use crate::report::Line;

/// How long after the start the memory is read.
const SETTLED: Duration = Duration::from_secs(1);

pub(super) fn lines(bench: &Bench) -> Vec<Line> {
    let redis = redis();
    let port = redis.as_ref().map(|(_, port)| *port).map_err(Clone::clone);
    let daebus = || {
        let mut command = bench.program("service");
        command.arg(format!("redis://127.0.0.1:{}", port.clone()?));
        figures(&mut command, port.clone()?, "bench")
    };
    let python = || {
        let port = port.clone()?;
        figures(bench.python("calls.py")?.args(["serve", &port.to_string()]), port, "python_bench")
    };
    let figures = vec![
        Figure::new("resident memory at rest", "MB").goal(Goal::at_most(10.0, 8.0)),
        Figure::new("from start to subscribed", "ms").goal(Goal::at_most(10.0, None)),
    ];
    Contest::new(figures).contender(DAEBUS, daebus).contender(PYTHON, python).run(bench.rounds)
}

fn figures(command: &mut Command, port: u16, channel: &str) -> Values {
    until_subscribers(port, channel, 0)?;
    let start = Instant::now();
    let service = Server::spawn(command)?;
    until_subscribers(port, channel, 1)?;
    let ready = start.elapsed();
    sleep(SETTLED);
    Ok(vec![service.resident()? / 1e6, ready.as_secs_f64() * 1e3])
}
