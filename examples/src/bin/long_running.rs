//! A thread that runs as long as the service does, and that can be stopped and started meanwhile.
//!
//! ```text
//! cargo run -p daebus-examples --bin long_running        # the Redis of this machine, or the one DAEBUS_URL names
//! ```
//!
//! The service is called `long_running`. Its actions: `submit` (a text to work on), `processed` (how many were), `stop` and
//! `start` the thread.

use std::collections::VecDeque;
use std::sync::Arc;

use daebus::TaskError;
use daebus::prelude::*;
use parking_lot::Mutex;
use tracing::{error, info};

/// How long the thread rests when there is nothing to do.
const REST: Duration = Duration::from_millis(50);

/// What handlers put in and the thread takes out. A real service would hold a file, a socket or a serial port here.
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

/// A thread of the operating system, since this is a plain `fn`: it may block for as long as it looks at `running` now and
/// then. `wait` rests, and comes back at once when the thread is to end.
#[thread("long_running", restart = "on_failure")]
fn background_processor(running: Running, State(work): State<Work>) {
    info!("Background processor started");
    while running.is_running() {
        let Some(item) = work.with(|queue| queue.waiting.pop_front()) else {
            if !running.wait(REST) {
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
        0 => Err("there is nothing in it"),
        words => Ok(words),
    }
}

/// Hands a text to the thread.
#[action("submit")]
async fn submit(Payload(item): Payload<String>, State(work): State<Work>) {
    work.with(|queue| queue.waiting.push_back(item));
}

/// How many texts the thread has worked on.
#[action("processed")]
async fn processed(State(work): State<Work>) -> usize {
    work.with(|queue| queue.processed)
}

/// Stops the thread and answers when it has ended.
#[action("stop")]
async fn stop(tasks: Tasks) -> Result<(), TaskError> {
    tasks.stop("long_running").await
}

/// Starts it again.
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
