//! A service for the tests of faults: it remembers in memory which requests its handlers have run, and has handlers that
//! misbehave.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use daebus::prelude::*;

/// How often each request was run, by its number.
type Runs = Arc<Mutex<BTreeMap<u64, u32>>>;

/// One numbered request, and how long it takes.
#[derive(Deserialize)]
struct Work {
    n: u64,
    ms: u64,
}

#[action("work")]
async fn work(Payload(work): Payload<Work>, State(runs): State<Runs>) -> u64 {
    *runs.lock().unwrap_or_else(PoisonError::into_inner).entry(work.n).or_default() += 1;
    tokio::time::sleep(Duration::from_millis(work.ms)).await;
    work.n
}

/// Returns how often each request was run.
#[action("runs")]
async fn runs(State(runs): State<Runs>) -> Vec<(u64, u32)> {
    let runs = runs.lock().unwrap_or_else(PoisonError::into_inner);
    runs.iter().map(|(n, times)| (*n, *times)).collect()
}

#[action("panics")]
async fn panics() {
    panic!("panics on purpose");
}

/// Ends with its deadline alone.
#[action("hangs")]
async fn hangs() {
    std::future::pending::<()>().await;
}

/// Blocks a thread for a second, past the deadline of a shorter call.
#[action("blocks")]
fn blocks() {
    std::thread::sleep(Duration::from_secs(1));
}

/// Answers with so many bytes.
#[action("large")]
async fn large(Payload(bytes): Payload<usize>) -> String {
    "x".repeat(bytes)
}

#[listen("news")]
async fn news(Payload(_): Payload<Value>) {}

/// Writes a key, and returns why that failed.
#[action("store")]
async fn store(cache: Cache) -> Result<Option<String>, BoxError> {
    Ok(cache.set("stored", &1).await.err().map(|error| error.to_string()))
}

#[tokio::main]
async fn main() -> daebus::Result<()> {
    daebus::logging::init();
    let app = Daebus::new("counted").state(Runs::default());
    app.register(blueprint_of!["counted"; work, runs, panics, hangs, blocks, large, news, store]).run().await
}
