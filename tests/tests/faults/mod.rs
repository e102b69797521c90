//! Faults on real processes, repeated: `DAEBUS_FAULT_CYCLES` sets how often (3 unless set), and `cargo xtask faults` runs
//! these tests with 50.

mod handlers;
mod network;
mod outages;
mod python_callers;
mod refusals;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use daebus::prelude::*;
use daebus_tests::{Process, eventually, within};
use tokio::task::JoinSet;

/// How many of a thousand calls that ran may go without an answer.
const ONE_IN_A_THOUSAND: usize = 1;

/// How many calls are in flight.
const CALLS: usize = 200;

/// How often a fault is repeated.
fn cycles() -> u64 {
    let cycles = std::env::var("DAEBUS_FAULT_CYCLES").ok();
    cycles.map_or(3, |cycles| cycles.parse().expect("DAEBUS_FAULT_CYCLES is a number"))
}

/// A service that remembers its runs, as a process.
fn counted(url: &str) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_counted"));
    for variable in ["NOTIFY_SOCKET", "INVOCATION_ID", "RUST_LOG", "DAEBUS_LOG_FORMAT", "RUST_BACKTRACE"] {
        command.env_remove(variable);
    }
    let process = Process::start(command.env("DAEBUS_URL", url));
    process.line("counted is ready");
    process
}

/// What a process holds.
#[derive(Debug, Clone, Copy)]
struct Usage {
    rss_kib: u64,
    descriptors: usize,
}

impl Usage {
    fn of(process: &Process) -> Self {
        let proc = format!("/proc/{}", process.id());
        let status = std::fs::read_to_string(format!("{proc}/status")).expect("the process runs");
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux reports it");
        let rss_kib = rss.split_whitespace().next().and_then(|kib| kib.parse().ok()).expect("a number");
        let descriptors = std::fs::read_dir(format!("{proc}/fd")).expect("the process runs").count();
        Self { rss_kib, descriptors }
    }

    /// Checks that a later usage has not grown. The allocator keeps some memory of a burst.
    fn assert_flat(self, later: Self) {
        assert!(later.descriptors <= self.descriptors + 2, "{self:?} has grown to {later:?}");
        assert!(later.rss_kib <= self.rss_kib * 3 / 2 + 16 * 1024, "{self:?} has grown to {later:?}");
    }
}

/// The calls of a test, numbered, and how they ended.
#[derive(Debug, Default)]
struct Tally {
    next: AtomicU64,
    stop: AtomicBool,
    answered: parking_lot::Mutex<BTreeSet<u64>>,
    failed: parking_lot::Mutex<BTreeMap<u64, String>>,
}

impl Tally {
    /// Keeps [`CALLS`] calls in flight until [`Self::finish`]. Each has to end within its budget.
    fn start(self: &Arc<Self>, caller: &Caller, budget: Duration, ms: u64) -> JoinSet<()> {
        self.stop.store(false, Ordering::SeqCst);
        let mut workers = JoinSet::new();
        for _ in 0..CALLS {
            let (tally, caller) = (Arc::clone(self), caller.clone());
            workers.spawn(async move {
                while !tally.stop.load(Ordering::SeqCst) {
                    tally.call(&caller, budget, ms).await;
                }
            });
        }
        workers
    }

    async fn call(&self, caller: &Caller, budget: Duration, ms: u64) {
        let n = self.next.fetch_add(1, Ordering::SeqCst);
        let began = Instant::now();
        let call = caller.send_request::<u64>("work", json!({"n": n, "ms": ms})).timeout(budget);
        let outcome = call.await;
        // Two seconds more for a busy machine.
        let limit = budget + Duration::from_secs(2);
        assert!(began.elapsed() < limit, "{n} took {:?} of {budget:?}: {outcome:?}", began.elapsed());
        match outcome {
            Ok(answer) => {
                assert_eq!(answer, n);
                self.answered.lock().insert(n);
            }
            Err(error) => {
                drop(self.failed.lock().insert(n, format!("{error:?}")));
                // A bus that is away refuses at once.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    /// Waits until so many further calls were answered.
    async fn answers(&self, further: usize) {
        let enough = self.answered.lock().len() + further;
        eventually("calls are answered", async || self.answered.lock().len() >= enough).await;
    }

    async fn finish(&self, mut workers: JoinSet<()>) {
        self.stop.store(true, Ordering::SeqCst);
        while let Some(ended) = within(workers.join_next()).await {
            ended.expect("a worker doesn't panic");
        }
    }

    /// Returns how often the handler ran for each call. A request that a half-open connection has received is lost.
    async fn runs(caller: &Caller) -> Vec<(u64, u32)> {
        let mut runs = None;
        eventually("the service reports its runs", async || {
            let call = caller.send_request("runs", ()).timeout(Duration::from_secs(2));
            runs = call.await.ok();
            runs.is_some()
        })
        .await;
        runs.unwrap_or_default()
    }

    /// Checks that no handler ran twice for one call, and that all but so many in a thousand of the calls that ran were
    /// answered.
    async fn check(&self, caller: &Caller, per_mille: usize) {
        let runs: Vec<(u64, u32)> = Self::runs(caller).await;
        let twice: Vec<_> = runs.iter().filter(|(_, times)| *times > 1).collect();
        assert!(twice.is_empty(), "run more than once: {twice:?}");
        let (answered, failed) = (self.answered.lock(), self.failed.lock());
        let unanswered: Vec<_> = runs.iter().filter_map(|(n, _)| failed.get_key_value(n)).collect();
        let (ran, total) = (runs.len(), answered.len() + failed.len());
        println!(
            "{total} calls, {ran} ran, {} answered, {} ran and failed",
            answered.len(),
            unanswered.len()
        );
        assert!(unanswered.len() * 1000 <= ran * per_mille, "{} of {ran}: {unanswered:?}", unanswered.len());
        assert!(answered.iter().all(|n| runs.binary_search_by_key(n, |(ran, _)| *ran).is_ok()));
    }
}
