//! State that handlers share. Requests run concurrently, so mutable state is an atomic or behind a lock.
//!
//! ```text
//! cargo run -p daebus-examples --bin increment           # Redis on this machine, or DAEBUS_URL
//! ```
//!
//! The service is `counter`, its action `increment`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use daebus::prelude::*;

/// The number of requests. Every handler gets a clone of the state, so the number is in an `Arc`.
#[derive(Debug, Clone, Default)]
struct Counter(Arc<AtomicU64>);

/// The answer of `increment`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Count {
    count: u64,
}

/// Increments the counter and returns its value.
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
