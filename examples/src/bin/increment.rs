//! State that handlers share. Requests run side by side, so what they change is an atomic or behind a lock.
//!
//! ```text
//! cargo run -p daebus-examples --bin increment           # the Redis of this machine, or the one DAEBUS_URL names
//! ```
//!
//! The service is called `counter`, its action `increment`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use daebus::prelude::*;

/// How many requests there were. Every handler gets a clone, so the number itself is in an `Arc`.
#[derive(Debug, Clone, Default)]
struct Counter(Arc<AtomicU64>);

/// What `increment` answers.
#[derive(Debug, Serialize, Deserialize)]
pub struct Count {
    count: u64,
}

/// Counts one more.
#[action("increment")]
async fn increment(State(counter): State<Counter>) -> Count {
    Count { count: counter.0.fetch_add(1, Ordering::Relaxed) + 1 }
}

#[tokio::main]
async fn main() -> daebus::Result<()> {
    daebus::logging::init();
    Daebus::new("counter")
        .bus(daebus_examples::bus_url()?)
        .state(Counter::default())
        .register(blueprint_of!["counter"; increment])
        .run()
        .await
}
