//! The allocations of a call within one process. A test of its own, because it counts those of the whole process.

use std::alloc::System;

use daebus::{Blueprint, Caller, Daebus, Json, Payload};
use serde_json::{Value, json};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Calls before anything is counted.
const WARM_UP: usize = 100;

const CALLS: usize = 1_000;

/// The maxima that `cargo xtask bench in-process` requires of an optimized build; futures are larger in other builds.
const ALLOCATIONS: usize = 30;
const BYTES: usize = if cfg!(debug_assertions) { 10_000 } else { 5_000 };

async fn echo(Payload(payload): Payload<Value>) -> Json<Value> {
    Json(payload)
}

#[tokio::test]
async fn a_call_allocates_no_more_than_the_benchmark_requires() {
    let url = "memory://allocations";
    let blueprint = Blueprint::new("b").action("echo", echo);
    let service = Daebus::new("svc").bus(url).register(blueprint).start().await.unwrap();
    let caller = Caller::connect(url, "svc").await.unwrap();
    let call = async |number: usize| {
        let answer: Value = caller.send_request("echo", number).await.unwrap();
        assert_eq!(answer, json!(number));
    };
    for number in 0..WARM_UP {
        call(number).await;
    }
    let region = Region::new(ALLOCATOR);
    for number in 0..CALLS {
        call(number).await;
    }
    let change = region.change();
    let allocations = (change.allocations + change.reallocations) / CALLS;
    let bytes = change.bytes_allocated / CALLS;
    assert!(allocations <= ALLOCATIONS && bytes <= BYTES, "{allocations} allocations, {bytes} bytes");
    service.stop().await.unwrap();
}
