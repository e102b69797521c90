//! A listening socket and the connections it takes in.

use std::net::SocketAddr;
#[cfg(feature = "testing")]
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "testing")]
use axum::{
    extract::{ConnectInfo, Request},
    response::Response,
};
#[cfg(feature = "testing")]
use tokio::io::{DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_util::sync::DropGuard;
use tracing::warn;

use super::connection::ConnectionServer;
use super::limits::HttpLimits;
use super::pipeline::Pipeline;
use super::places::{ConnectionPlace, Places};
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
    connections: Arc<ConnectionServer>,
    _stop_when_dropped: DropGuard,
}

impl Server {
    /// A server without connections. `starting` answers until [`open`](Self::open).
    pub(crate) fn new(starting: Pipeline, limits: HttpLimits, workers: &Workers) -> Self {
        let connections = Arc::new(ConnectionServer::new(Site::new(starting), limits, workers.clone()));
        let guard = connections.stop.clone().drop_guard();
        Self { connections, _stop_when_dropped: guard }
    }

    /// Accepts connections from here, until [`drain`](Self::drain).
    pub(crate) fn listen(&self, listener: TcpListener) {
        let acceptor = Acceptance {
            places: Places::new(&self.connections.limits),
            connections: Arc::clone(&self.connections),
        };
        self.connections.workers.spawn(acceptor.run(listener));
    }

    /// Answers requests by this pipeline from now on.
    pub(crate) fn open(&self, pipeline: Pipeline) {
        self.connections.site.open(pipeline);
    }

    /// Answers a request that comes by no connection. The drain waits for the answer as it does for others.
    #[cfg(feature = "testing")]
    pub(crate) async fn answer(&self, mut request: Request) -> Response {
        let _working = self.connections.workers.hold();
        request.extensions_mut().insert(ConnectInfo(INSIDE));
        self.connections.site.answer(request).await
    }

    /// A connection within this process, served as one that came over the network.
    #[cfg(feature = "testing")]
    pub(crate) fn connect(&self) -> DuplexStream {
        let (client, stream) = duplex(PIPE);
        self.connections.workers.spawn(Arc::clone(&self.connections).serve(stream, INSIDE, None, ()));
        client
    }

    /// Accepts no more connections, and ends those that are open once their answers are finished.
    pub(crate) fn drain(&self) {
        self.connections.stop.cancel();
    }
}

/// Accepts the connections of a listener.
struct Acceptance {
    places: Places,
    connections: Arc<ConnectionServer>,
}

impl Acceptance {
    async fn run(self, listener: TcpListener) {
        let stop = self.connections.stop.clone();
        // The place before the connection: one that has no place yet waits in the system's queue, and costs nothing here.
        let next = async || {
            let place = self.places.next().await?;
            Some((accepted(&listener).await, place))
        };
        while let Some(Some(((stream, peer), place))) = stop.run_until_cancelled(next()).await {
            self.serve(stream, peer, place);
        }
        self.serve_queued(listener);
    }

    /// Serves the connections that the system has established by now: their clients may have sent a request.
    fn serve_queued(&self, listener: TcpListener) {
        let Ok(listener) = listener.into_std() else { return };
        while let Some(place) = self.places.try_next()
            && let Ok((stream, peer)) = listener.accept()
        {
            if stream.set_nonblocking(true).is_ok()
                && let Ok(stream) = TcpStream::from_std(stream)
            {
                self.serve(stream, peer, place);
            }
        }
    }

    fn serve(&self, stream: TcpStream, peer: SocketAddr, place: ConnectionPlace) {
        let Ok(address_place) = self.places.of_address(peer.ip()) else { return };
        let place = self.places.accepted(place);
        // Small answers go out at once; a stream that refuses this is served all the same.
        let _ = stream.set_nodelay(true);
        bound_unsent(&stream);
        let connection = Arc::clone(&self.connections).serve(stream, peer, Some(place), address_place);
        self.connections.workers.spawn(connection);
    }
}

/// Bounds what the kernel buffers beyond what is in flight: otherwise it accepts megabytes at once and nothing for a
/// minute after that, so that a slow reader looks like one that has stopped.
fn bound_unsent(stream: &TcpStream) {
    #[cfg(target_os = "linux")]
    let _ = socket2::SockRef::from(stream).set_tcp_notsent_lowat(UNSENT);
    #[cfg(not(target_os = "linux"))]
    let _ = stream;
}

/// The next connection.
async fn accepted(listener: &TcpListener) -> (TcpStream, SocketAddr) {
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
