//! A service as systemd would run it, for the tests of that: on one thread, with `WAIT_FOR_BUS=no` without waiting for
//! its bus. `hang` holds up the whole of it.

use std::time::Duration;

use daebus::prelude::*;

/// Gives back what it is given.
#[action("echo")]
async fn echo(Payload(value): Payload<Value>) -> Value {
    value
}

/// Does what an async function must not: it keeps its thread for so many milliseconds.
#[action("hang")]
async fn hang(Payload(milliseconds): Payload<u64>) {
    std::thread::sleep(Duration::from_millis(milliseconds));
}

/// Takes its time to stop.
#[on_stop]
async fn last() {
    tokio::time::sleep(Duration::from_millis(100)).await;
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> daebus::Result<()> {
    daebus::logging::init();
    let waits = std::env::var("WAIT_FOR_BUS").map_or(true, |value| value != "no");
    Daebus::new("daemon").wait_for_bus(waits).register(blueprint_of!["daemon"; echo, hang, last]).run().await
}
