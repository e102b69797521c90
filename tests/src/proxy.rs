//! A TCP proxy whose connections a test slows down, silences and resets.

#![allow(clippy::expect_used, reason = "what fails here is a test that fails")]

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

/// The direction of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From a client to the server.
    ToServer,
    /// From the server to a client.
    ToClient,
}

/// A proxy in front of a server on this machine. Dropping it closes its connections.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    faults: Arc<Faults>,
    accepting: AbortHandle,
}

#[derive(Debug, Default)]
struct Faults {
    latency: Mutex<Duration>,
    /// Every so many chunks reset their connection; 0 for none.
    reset_every: AtomicU64,
    chunks: AtomicU64,
    resets: AtomicU64,
    /// The direction in which the connections of this moment lose everything.
    silent: watch::Sender<Option<Direction>>,
    accepted: AtomicU64,
}

impl Proxy {
    /// Starts a proxy in front of a port of this machine.
    ///
    /// # Panics
    ///
    /// Panics if no port is free.
    pub async fn start(server: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
        let port = listener.local_addr().expect("a listener has an address").port();
        let faults = Arc::<Faults>::default();
        let accepting = tokio::spawn(accept(listener, server, Arc::clone(&faults))).abort_handle();
        Self { port, faults, accepting }
    }

    /// The URL of the Redis behind the proxy.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Delays all bytes in both directions by this time.
    pub fn set_latency(&self, latency: Duration) {
        *self.faults.latency.lock() = latency;
    }

    /// Resets the connection of every so many chunks that are read; 0 resets none.
    pub fn reset_every(&self, chunks: u64) {
        self.faults.reset_every.store(chunks, Ordering::Relaxed);
    }

    /// Returns how many connections were reset.
    pub fn resets(&self) -> u64 {
        self.faults.resets.load(Ordering::Relaxed)
    }

    /// Returns how many connections were accepted.
    pub fn accepted(&self) -> u64 {
        self.faults.accepted.load(Ordering::Relaxed)
    }

    /// Makes the connections that exist now half-open: they lose all bytes in one direction from now on, and their end.
    /// Later connections work.
    pub fn silence(&self, direction: Direction) {
        self.faults.silent.send_replace(Some(direction));
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, server: u16, faults: Arc<Faults>) {
    // Its connections end with this task.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        faults.accepted.fetch_add(1, Ordering::Relaxed);
        connections.spawn(forward(client, server, Arc::clone(&faults)));
    }
}

async fn forward(mut client: TcpStream, port: u16, faults: Arc<Faults>) {
    let mut silent = faults.silent.subscribe();
    // What was silenced before this connection doesn't apply to it.
    silent.mark_unchanged();
    let Ok(mut server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else { return };
    let is_reset = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        tokio::select! {
            end = pump(from_client, to_server, Direction::ToServer, &faults, silent.clone()) => end.is_err(),
            end = pump(from_server, to_client, Direction::ToClient, &faults, silent) => end.is_err(),
        }
    };
    if is_reset {
        // With this option, closing sends a RST.
        let _ = client.set_zero_linger();
        let _ = server.set_zero_linger();
    }
}

/// Forwards bytes until their end. Returns an error if the connection is to be reset.
async fn pump(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    direction: Direction,
    faults: &Faults,
    mut silent: watch::Receiver<Option<Direction>>,
) -> io::Result<()> {
    let (sender, mut chunks) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let read = async {
        let mut buffer = vec![0; 64 * 1024];
        let mut is_silent = false;
        loop {
            let read = from.read(&mut buffer).await.unwrap_or_default();
            is_silent |=
                silent.has_changed().unwrap_or_default() && *silent.borrow_and_update() == Some(direction);
            if is_silent && read == 0 {
                // The end is lost as well.
                std::future::pending::<()>().await;
            }
            if read == 0 {
                return Ok(());
            }
            if is_silent {
                continue;
            }
            let every = faults.reset_every.load(Ordering::Relaxed);
            let chunk = faults.chunks.fetch_add(1, Ordering::Relaxed) + 1;
            if every > 0 && chunk.is_multiple_of(every) {
                faults.resets.fetch_add(1, Ordering::Relaxed);
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            let due = Instant::now() + *faults.latency.lock();
            let _ = sender.send((due, buffer[..read].to_vec()));
        }
    };
    let write = async {
        while let Some((due, chunk)) = chunks.recv().await {
            sleep_until(due).await;
            if to.write_all(&chunk).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        end = read => end,
        () = write => Ok(()),
    }
}
