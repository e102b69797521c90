//! A service as systemd would run it, for the tests of that. With `WAIT_FOR_BUS=no` it doesn't wait for its bus.
//!
//! A log line with the word `block` blocks the task that writes it until a line arrives on the standard input: the only
//! way to block the loop that takes messages in, since no handler runs in it.

use std::io::Write;
use std::time::Duration;

use daebus::prelude::*;

/// Takes its time to stop.
#[on_stop]
async fn last() {
    tokio::time::sleep(Duration::from_millis(100)).await;
}

/// Requests reach a service only if it has an action.
#[action("ping")]
async fn ping() {}

/// Standard error, which can block.
struct Log;

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        if String::from_utf8_lossy(line).contains("block") {
            eprintln!("blocked");
            // The other tasks continue: what feeds the watchdog is one of them.
            tokio::task::block_in_place(|| std::io::stdin().read_line(&mut String::new()))?;
        }
        std::io::stderr().write_all(line)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

#[tokio::main]
async fn main() -> daebus::Result<()> {
    tracing_subscriber::fmt().with_ansi(false).with_writer(|| Log).init();
    let waits = std::env::var("WAIT_FOR_BUS").map_or(true, |value| value != "no");
    Daebus::new("daemon").wait_for_bus(waits).register(blueprint_of!["daemon"; ping, last]).run().await
}
