//! Two services in one process, for the tests of that.

use daebus::prelude::*;

/// Takes its time.
#[action("slow")]
async fn slow(Payload(millis): Payload<u64>) -> u64 {
    println!("slow begins");
    tokio::time::sleep(Duration::from_millis(millis)).await;
    millis
}

#[tokio::main]
async fn main() -> daebus::Result<()> {
    daebus::logging::init();
    let service = |name: &str| Daebus::new(name).register(blueprint_of!["slow"; slow]);
    daebus::run_all([service("users"), service("orders")]).await
}
