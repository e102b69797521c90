//! Memory of a burst: 100,000 calls at once, the caller and the service in one process, on a real Redis.
//!
//! `cargo bench -p daebus-benches --bench burst` prints the outcomes of the calls and the peak of the process's resident
//! memory. `--bench burst -- 20000` makes another number of calls.

#![allow(clippy::unwrap_used)] // a benchmark that can't run has no result

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use daebus::prelude::{Blueprint, CallError, Caller, Daebus, Json, Payload};
use daebus_tests::RedisServer;
use tokio::task::JoinSet;

const CALLS: u64 = 100_000;
const BUDGET: Duration = Duration::from_secs(30);

async fn echo(Payload(value): Payload<u64>) -> Json<u64> {
    Json(value)
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let calls = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(CALLS);
    let server = RedisServer::start();
    let service =
        Daebus::new("burst").bus(server.url()).register(Blueprint::new("burst").action("echo", echo));
    let service = service.start().await.unwrap();
    let caller = Caller::connect(&server.url(), "burst").await.unwrap();
    let before = peak_kilobytes();
    let began = Instant::now();
    let mut in_flight = JoinSet::new();
    for value in 0..calls {
        let call = caller.send_request::<u64>("echo", value).timeout(BUDGET);
        in_flight.spawn(call.into_future());
    }
    let mut outcomes: BTreeMap<&str, u64> = BTreeMap::new();
    while let Some(outcome) = in_flight.join_next().await {
        let outcome = match outcome.unwrap() {
            Ok(_) => "answered",
            Err(CallError::Fault(fault) | CallError::Service(fault)) if fault.is_refused() => "refused",
            Err(CallError::Timeout { .. }) => "timed out",
            Err(_) => "failed",
        };
        *outcomes.entry(outcome).or_default() += 1;
    }
    println!("{calls} calls in {:.1} s: {outcomes:?}", began.elapsed().as_secs_f64());
    println!("peak of the resident memory: {} MB, {} MB before", peak_kilobytes() / 1024, before / 1024);
    caller.close().await;
    service.stop().await.unwrap();
}

/// Returns the peak of this process's resident memory; 0 on a system without `/proc`.
fn peak_kilobytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next());
    peak.and_then(|kilobytes| kilobytes.parse().ok()).unwrap_or_default()
}
