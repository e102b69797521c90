//! One contender, or the load on one; see the library.

use clap::Parser;
use daebus_peers::work::{Result, Time};
use daebus_peers::{broadcasts, calls, growth, load, servers};

#[derive(Debug, Parser)]
enum Task {
    /// An echo service on a bus, its caller, or both in one process
    Calls(calls::Calls),
    /// Calls with a larger payload, or with more actions, callers or instances
    Growth(growth::Growth),
    /// Broadcasts to listeners
    Broadcasts(broadcasts::Broadcasts),
    /// An HTTP and WebSocket server
    Serve { server: servers::Server },
    /// Requests to an HTTP server
    LoadHttp {
        address: String,
        #[arg(long)]
        connections: usize,
        #[arg(long)]
        seconds: f64,
    },
    /// Messages to a WebSocket server, on one connection
    LoadSocket {
        address: String,
        #[arg(long)]
        in_flight: u64,
        #[command(flatten)]
        time: Time,
    },
    /// Idle connections
    Hold { kind: load::Kind, address: String, count: usize },
}

#[tokio::main]
async fn main() -> Result<()> {
    match Task::parse() {
        Task::Calls(calls) => calls::run(calls).await,
        Task::Growth(growth) => growth::run(growth).await,
        Task::Broadcasts(broadcasts) => broadcasts::run(broadcasts).await,
        Task::Serve { server } => servers::run(server).await,
        Task::LoadHttp { address, connections, seconds } => load::http(address, connections, seconds).await,
        Task::LoadSocket { address, in_flight, time } => load::socket(address, in_flight, time).await,
        Task::Hold { kind, address, count } => load::hold(kind, address, count).await,
    }
}
