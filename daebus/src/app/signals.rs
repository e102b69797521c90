//! Running as a process: signals begin the drain, a second one ends it.

use tracing::{info, warn};

use super::startup::{self, Surroundings};
use super::{Daebus, systemd};
use crate::error::{Error, Result};
use crate::handler::blocking_in_flight;

pub(super) async fn run(app: Daebus) -> Result<()> {
    let mut signals = Signals::listen()?;
    let surroundings = Surroundings::real();
    let interrupt = surroundings.interrupt.clone();
    let mut starting = Box::pin(startup::start(app, surroundings));
    let service = tokio::select! {
        service = &mut starting => service?,
        signal = signals.next() => {
            info!("{} before the service was up", signal.name);
            interrupt.cancel();
            // What has started is stopped.
            return match signals.unless_again(starting).await {
                Ok(service) => signals.unless_again(service.stop()).await,
                Err(Error::Interrupted { .. }) => Ok(()),
                Err(error) => Err(error),
            };
        }
    };
    let shutdown = service.shutdown();
    let supervised = systemd::up(&service);
    tokio::select! {
        signal = signals.next() => info!("{}: draining; a second one ends the process at once", signal.name),
        () = shutdown.requested() => info!("a handler asks the service to stop"),
    }
    supervised.stopping();
    let result = signals.unless_again(service.stop()).await;
    if result.is_err() && blocking_in_flight() > 0 {
        // The runtime would wait for these threads for as long as they like.
        warn!("a plain fn handler hasn't returned; the process ends without it");
        std::process::exit(1);
    }
    result
}

impl Signals {
    /// Waits for the end of something, unless another signal ends the process first.
    async fn unless_again<T>(&mut self, ending: impl Future<Output = T>) -> T {
        tokio::select! {
            ended = ending => ended,
            signal = self.next() => {
                warn!("{} again: the process ends at once", signal.name);
                std::process::exit(signal.exit_code);
            }
        }
    }
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
