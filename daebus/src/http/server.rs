//! A listening socket and the connections it takes in.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::connection;
use super::limits::Limits;
use crate::workers::Workers;

/// How long to wait when the system has no connection to give, out of file handles for example.
const BREATHER: Duration = Duration::from_millis(100);

/// A server that runs.
#[derive(Debug)]
pub(crate) struct Server {
    stop: CancellationToken,
}

impl Server {
    /// Takes in no more connections, and ends those that are there once their answers are finished.
    pub(crate) fn drain(&self) {
        self.stop.cancel();
    }
}

/// Answers connections with `router` until [`Server::drain`]. The connections are tasks among `workers`, whose drain
/// waits for them. One that is upgraded is no longer counted here: whoever upgrades it looks after it.
pub(crate) fn serve(listener: TcpListener, router: Router, limits: Limits, workers: &Workers) -> Server {
    let stop = CancellationToken::new();
    workers.spawn(accept(listener, router, limits, workers.clone(), stop.clone()));
    Server { stop }
}

async fn accept(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    workers: Workers,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(limits.connections.clamp(1, Semaphore::MAX_PERMITS)));
    // The place before the connection: what has no place yet waits in the system's queue, and costs nothing here.
    let next = async || -> Option<_> {
        let place = Arc::clone(&places).acquire_owned().await.ok()?;
        Some((accepted(&listener).await, place))
    };
    while let Some(Some(((stream, peer), place))) = stop.run_until_cancelled(next()).await {
        let connection = connection::serve(stream, peer, router.clone(), limits, stop.clone());
        workers.spawn(async move {
            connection.await;
            drop(place);
        });
    }
}

/// The next connection.
async fn accepted(listener: &TcpListener) -> (tokio::net::TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                warn!(%error, "a connection can't be taken in");
                sleep(BREATHER).await;
            }
        }
    }
}
