//! A listening socket and the connections it takes in.

use std::net::SocketAddr;
#[cfg(feature = "testing")]
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
#[cfg(feature = "testing")]
use axum::{
    extract::{ConnectInfo, Request},
    response::Response,
};
#[cfg(feature = "testing")]
use tokio::io::{DuplexStream, duplex};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_util::sync::{CancellationToken, DropGuard};
#[cfg(feature = "testing")]
use tower::ServiceExt as _;
use tracing::warn;

use super::connection;
use super::limits::HttpLimits;
use super::site::Site;
use crate::runtime::Workers;

/// Where requests come from that come by no network.
#[cfg(feature = "testing")]
const INSIDE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// How many bytes are on their way at once on a connection within this process.
#[cfg(feature = "testing")]
const PIPE: usize = 64 * 1024;

/// How many bytes the kernel accepts for a connection beyond those in flight.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 128 * 1024;

/// How long to wait when the system has no connection to give, out of file handles for example.
const BREATHER: Duration = Duration::from_millis(100);

/// A server that runs. The connections are tasks among its workers, whose drain waits for them. An upgraded connection is
/// no longer one of them: the code that upgrades it looks after it. Dropping the server drains it.
#[derive(Debug)]
pub(crate) struct Server {
    site: Arc<Site>,
    limits: HttpLimits,
    workers: Workers,
    stop: CancellationToken,
    _stop_when_dropped: DropGuard,
}

impl Server {
    /// A server without connections. `starting` answers until [`open`](Self::open).
    pub(crate) fn new(starting: Router, limits: HttpLimits, workers: &Workers) -> Self {
        let (site, stop) = (Arc::new(Site::new(starting)), CancellationToken::new());
        let guard = stop.clone().drop_guard();
        Self { site, limits, workers: workers.clone(), stop, _stop_when_dropped: guard }
    }

    /// Accepts connections from here, until [`drain`](Self::drain).
    pub(crate) fn listen(&self, listener: TcpListener) {
        let (site, workers, stop) = (Arc::clone(&self.site), self.workers.clone(), self.stop.clone());
        self.workers.spawn(accept(listener, site, self.limits, workers, stop));
    }

    /// Answers requests by this router from now on.
    pub(crate) fn open(&self, router: Router) {
        self.site.open(router);
    }

    /// Answers a request that comes by no connection. The drain waits for the answer as it does for others.
    #[cfg(feature = "testing")]
    pub(crate) async fn answer(&self, mut request: Request) -> Response {
        let _working = self.workers.hold();
        request.extensions_mut().insert(ConnectInfo(INSIDE));
        let Ok(response) = self.site.router().oneshot(request).await;
        response
    }

    /// A connection within this process, served as one that came over the network.
    #[cfg(feature = "testing")]
    pub(crate) fn connect(&self) -> DuplexStream {
        let (client, stream) = duplex(PIPE);
        let (site, stop) = (Arc::clone(&self.site), self.stop.clone());
        self.workers.spawn(connection::serve(stream, INSIDE, site, self.limits, stop));
        client
    }

    /// Takes in no more connections, and ends those that are there once their answers are finished.
    pub(crate) fn drain(&self) {
        self.stop.cancel();
    }
}

async fn accept(
    listener: TcpListener,
    site: Arc<Site>,
    limits: HttpLimits,
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
        // Small answers go out at once; a stream that refuses this is served all the same.
        let _ = stream.set_nodelay(true);
        bound_unsent(&stream);
        let connection = connection::serve(stream, peer, Arc::clone(&site), limits, stop.clone());
        workers.spawn(async move {
            connection.await;
            drop(place);
        });
    }
}

/// Bounds what the kernel buffers beyond what is in flight: otherwise it accepts megabytes at once and nothing for a
/// minute after that, so that a slow reader looks like one that has stopped.
fn bound_unsent(stream: &tokio::net::TcpStream) {
    #[cfg(target_os = "linux")]
    let _ = socket2::SockRef::from(stream).set_tcp_notsent_lowat(UNSENT);
    #[cfg(not(target_os = "linux"))]
    let _ = stream;
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
