//! A service for the tests of start and end: `slow` takes as long as it is told, and the bus is wherever the
//! application itself looks for it.

use std::time::Duration;

use daebus::prelude::*;

/// Sleeps so many milliseconds.
#[action("slow")]
async fn slow(Payload(milliseconds): Payload<u64>) -> u64 {
    say("slow begins");
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    milliseconds
}

/// The last words.
#[on_stop]
async fn last() {
    say("on_stop ran");
}

/// For the test to wait for.
fn say(line: &str) {
    println!("{line}");
}

#[tokio::main]
async fn main() -> daebus::Result<()> {
    daebus::logging::init();
    Daebus::new("slow_service").register(blueprint_of!["slow"; slow, last]).run().await
}
