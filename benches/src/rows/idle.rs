//! Memory of idle connections.

use super::servers::server;
use super::{AXUM, DAEBUS};
use crate::bench::Bench;
use crate::contest::{Contest, Figure};
use crate::figures::{Goal, Values};
use crate::processes::Server;
use crate::report::Line;

/// Connections before memory is read for the first time, so that the allocator has its first pages.
const BEFORE: u32 = 100;

/// Connections between the two readings.
const MORE: u32 = 800;

pub(super) fn lines(bench: &Bench) -> Vec<Line> {
    let socket = Figure::new("idle WebSocket client", "KiB").goal(Goal::at_most(16.0, 12.0));
    let keep_alive = Figure::new("idle keep-alive connection", "KiB").goal(Goal::at_most(24.0, 20.0));
    let mut lines = contest(bench, socket, "socket");
    lines.extend(contest(bench, keep_alive, "http"));
    lines
}

fn contest(bench: &Bench, figure: Figure, kind: &'static str) -> Vec<Line> {
    Contest::new(vec![figure])
        .contender(DAEBUS, || per_connection(bench, "daebus", kind))
        .contender(AXUM, || per_connection(bench, "axum", kind))
        .run(bench.rounds)
}

fn per_connection(bench: &Bench, peer: &str, kind: &str) -> Values {
    let server = server(bench, peer)?;
    let hold = |count: u32| {
        let mut command = bench.contender(&["hold", kind, &server.address, &count.to_string()]);
        Server::ready(&mut command)
    };
    let _before = hold(BEFORE)?;
    let before = server.resident()?;
    let _more = hold(MORE)?;
    Ok(vec![(server.resident()? - before) / f64::from(MORE) / 1024.0])
}
