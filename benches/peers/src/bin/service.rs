//! The smallest service on Redis, for its memory at rest and its time to start.

use daebus_peers::calls;
use daebus_peers::work::Result;

#[tokio::main]
async fn main() -> Result<()> {
    daebus::logging::init();
    let url = std::env::args().nth(1).ok_or("the URL of Redis is missing")?;
    Ok(calls::application(&url).run().await?)
}
