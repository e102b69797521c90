//! HTTP and WebSockets.

use std::time::Duration;

use super::{AXUM, DAEBUS};
use crate::bench::Bench;
use crate::contest::{Contest, Figure};
use crate::figures::{Goal, Values};
use crate::processes::{Server, results};
use crate::report::Line;

/// Connections that send requests.
const CONNECTIONS: &str = "16";

/// How long the load may take beyond its time.
const PATIENCE: Duration = Duration::from_secs(20);

/// Starts the HTTP and WebSocket server of a contender.
pub(super) fn server(bench: &Bench, peer: &str) -> Result<Server, String> {
    Server::ready(&mut bench.contender(&["serve", peer]))
}

pub(super) fn http(bench: &Bench) -> Vec<Line> {
    let figure = Figure::new("JSON route over HTTP, CPU time of the server", "µs/request");
    contest(bench, figure.goal(Goal::ratio_at_most(AXUM, 1.15, 1.1)), |server| cpu_per_request(bench, server))
}

pub(super) fn websocket(bench: &Bench) -> Vec<Line> {
    let lines = ["1", "32"].map(|in_flight| {
        let figure = Figure::new(format!("WebSocket echo, {in_flight} in flight"), "messages/s");
        contest(bench, figure.goal(Goal::ratio_at_least(AXUM, 0.9, 0.95)), move |server| {
            let mut load = bench.contender(&["load-socket", &server.address, "--in-flight", in_flight]);
            Ok(vec![bench.rate(&mut load)?])
        })
    });
    lines.into_iter().flatten().collect()
}

/// One server per contender for all rounds; the load alternates.
fn contest(bench: &Bench, figure: Figure, measure: impl Fn(&Server) -> Values + Copy) -> Vec<Line> {
    let (daebus, axum) = (server(bench, "daebus"), server(bench, "axum"));
    let turn = |server: &Result<Server, String>| measure(server.as_ref().map_err(Clone::clone)?);
    Contest::new(vec![figure])
        .contender(DAEBUS, || turn(&daebus))
        .contender(AXUM, || turn(&axum))
        .run(bench.rounds)
}

fn cpu_per_request(bench: &Bench, server: &Server) -> Values {
    let load = |seconds: f64| {
        let mut load = bench.contender(&["load-http", &server.address, "--connections", CONNECTIONS]);
        let within = Duration::from_secs_f64(seconds) + PATIENCE;
        results(load.args(["--seconds", &seconds.to_string()]), within)?.one("requests")
    };
    load(bench.warm_up())?;
    let before = server.cpu()?;
    let requests = load(bench.seconds)?;
    Ok(vec![(server.cpu()? - before) * 1e6 / requests])
}
