//! Running as a process: signals begin the drain, a second one ends it.

use tracing::{info, warn};

use super::Daebus;
use crate::error::{Error, Result};
use crate::guard::blocking_in_flight;

pub(super) async fn run(app: Daebus) -> Result<()> {
    let mut signals = Signals::listen()?;
    let service = tokio::select! {
        service = app.start() => service?,
        signal = signals.next() => {
            info!("{} before the service was up", signal.name);
            return Ok(());
        }
    };
    let shutdown = service.shutdown();
    tokio::select! {
        signal = signals.next() => info!("{}: draining; a second one ends the process at once", signal.name),
        () = shutdown.requested() => info!("a handler asks the service to stop"),
    }
    let result = tokio::select! {
        result = service.stop() => result,
        signal = signals.next() => {
            warn!("{} again: the process ends at once", signal.name);
            std::process::exit(signal.exit_code);
        }
    };
    if result.is_err() && blocking_in_flight() > 0 {
        // The runtime would wait for these threads for as long as they like.
        warn!("a plain fn handler hasn't returned; the process ends without it");
        std::process::exit(1);
    }
    result
}

/// A signal that ends a service.
struct Signal {
    name: &'static str,
    exit_code: i32,
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).map_err(Error::Signal)?,
            terminate: signal(SignalKind::terminate()).map_err(Error::Signal)?,
        })
    }

    async fn next(&mut self) -> Signal {
        // 128 plus the signal's number is what shells report for a process that a signal ended.
        tokio::select! {
            _ = self.interrupt.recv() => Signal { name: "SIGINT", exit_code: 130 },
            _ = self.terminate.recv() => Signal { name: "SIGTERM", exit_code: 143 },
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    #[allow(clippy::unnecessary_wraps)]
    fn listen() -> Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> Signal {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Signal { name: "Ctrl-C", exit_code: 130 }
    }
}
