//! Calls over a bus.

use super::{BY_HAND, DAEBUS, NATS, PYTHON};
use crate::bench::{Bench, nats, redis};
use crate::contest::{Contest, Figure};
use crate::figures::{Goal, Values};
use crate::processes::{Server, until_subscribers};
use crate::report::Line;

const IN_FLIGHT: [usize; 4] = [1, 50, 256, 1024];

/// The Python package has a thread for each call and each request.
const MOST_IN_PYTHON: usize = 256;

pub(super) fn one_process(bench: &Bench) -> Vec<Line> {
    contests(bench, "one process", |in_flight| match in_flight {
        1 => vec![Goal::ratio_at_least(BY_HAND, 0.95, 1.0), Goal::ratio_at_least(NATS, 0.95, 1.0)],
        50 => vec![Goal::ratio_at_least(NATS, 1.5, 2.0)],
        256 => vec![Goal::ratio_at_least(NATS, 2.0, 3.0)],
        _ => vec![Goal::ratio_at_least(BY_HAND, 1.0, None)],
    })
}

pub(super) fn two_processes(bench: &Bench) -> Vec<Line> {
    contests(bench, "two processes", |_| vec![Goal::ratio_at_least(BY_HAND, 1.0, None)])
}

fn contests(bench: &Bench, processes: &str, goals: impl Fn(usize) -> Vec<Goal>) -> Vec<Line> {
    let is_split = processes == "two processes";
    let (redis, nats) = (redis(), nats());
    let port = redis.as_ref().map(|(_, port)| *port).map_err(Clone::clone);
    let redis = port.clone().map(|port| format!("redis://127.0.0.1:{port}"));
    let nats = nats.as_ref().map(|(_, port)| format!("nats://127.0.0.1:{port}")).map_err(Clone::clone);
    let mut lines = Vec::new();
    for in_flight in IN_FLIGHT {
        let mut figure = Figure::new(format!("calls, {processes}, {in_flight} in flight"), "calls/s");
        figure.goals = goals(in_flight);
        let measure =
            |peer, url: &Result<String, String>| rate(bench, peer, &url.clone()?, in_flight, is_split);
        let mut contest = Contest::new(vec![figure])
            .contender(DAEBUS, || measure("daebus", &redis))
            .contender(BY_HAND, || measure("by-hand", &redis))
            .contender(NATS, || measure("nats", &nats));
        if in_flight <= MOST_IN_PYTHON {
            contest = contest.contender(PYTHON, || python(bench, port.clone()?, in_flight));
        }
        lines.extend(contest.run(bench.rounds));
    }
    lines
}

fn rate(bench: &Bench, peer: &str, url: &str, in_flight: usize, is_split: bool) -> Values {
    let service = is_split.then(|| Server::ready(&mut bench.contender(&["calls", peer, "serve", url])));
    let _service = service.transpose()?;
    let role = if is_split { "call" } else { "both" };
    let mut caller = bench.contender(&["calls", peer, role, url, "--in-flight", &in_flight.to_string()]);
    Ok(vec![bench.rate(&mut caller)?])
}

/// The Python package; always two processes, since two interpreters don't share a lock.
fn python(bench: &Bench, port: u16, in_flight: usize) -> Values {
    let port_word = port.to_string();
    until_subscribers(port, "python_bench", 0)?;
    let _service = Server::spawn(bench.python("calls.py")?.args(["serve", &port_word]))?;
    until_subscribers(port, "python_bench", 1)?;
    let mut caller = bench.python("calls.py")?;
    caller.args(["call", &port_word, "--in-flight", &in_flight.to_string()]);
    Ok(vec![bench.rate(&mut caller)?])
}
