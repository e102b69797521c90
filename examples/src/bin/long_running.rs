//! A thread that runs for as long as the service does, and that actions stop and start.
//!
//! ```text
//! cargo run -p daebus-examples --bin long_running        # Redis on this machine, or DAEBUS_URL
//! ```
//!
//! The service is `long_running`. Its actions: `submit` adds a text to the queue, `processed` returns the number of processed
//! texts, `stop` and `start` control the thread.

use std::collections::VecDeque;
use std::sync::Arc;

use daebus::TaskError;
use daebus::prelude::*;
use parking_lot::Mutex;
use tracing::{error, info};

/// The delay between two checks of an empty queue.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The queue that handlers fill and the thread empties.
#[derive(Debug, Clone, Default)]
struct Work(Arc<Mutex<Queue>>);

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<String>,
    processed: usize,
}

impl Work {
    fn with<T>(&self, change: impl FnOnce(&mut Queue) -> T) -> T {
        change(&mut self.0.lock())
    }
}

/// Runs on an operating system thread, since it is a plain `fn`. It may block as long as it checks `running` regularly.
/// `wait` returns false as soon as the thread has to stop.
#[thread("long_running", restart = "on_failure")]
fn background_processor(running: Running, State(work): State<Work>) {
    info!("Background processor started");
    while running.is_running() {
        let Some(item) = work.with(|queue| queue.waiting.pop_front()) else {
            if !running.wait(POLL_INTERVAL) {
                break;
            }
            continue;
        };
        match process(&item) {
            Ok(words) => info!("Processed {item:?}: {words} words"),
            Err(reason) => error!("Error in background processor: {reason}"),
        }
        work.with(|queue| queue.processed += 1);
    }
    info!("Background processor stopped");
}

fn process(item: &str) -> Result<usize, &'static str> {
    match item.split_whitespace().count() {
        0 => Err("the text is empty"),
        words => Ok(words),
    }
}

/// Adds a text to the queue.
#[action("submit")]
async fn submit(Payload(item): Payload<String>, State(work): State<Work>) {
    work.with(|queue| queue.waiting.push_back(item));
}

/// Returns the number of processed texts.
#[action("processed")]
async fn processed(State(work): State<Work>) -> usize {
    work.with(|queue| queue.processed)
}

/// Stops the thread and replies when it has ended.
#[action("stop")]
async fn stop(tasks: Tasks) -> Result<(), TaskError> {
    tasks.stop("long_running").await
}

/// Starts the thread.
#[action("start")]
async fn start(tasks: Tasks) -> Result<(), TaskError> {
    tasks.start("long_running")
}

#[tokio::main]
async fn main() -> daebus::Result<()> {
    daebus::logging::init();
    Daebus::new("long_running")
        .bus(daebus_examples::bus_url()?)
        .state(Work::default())
        .register(blueprint_of!["work"; background_processor, submit, processed, stop, start])
        .run()
        .await
}
