//! Running as a process: signals begin the drain, a second one ends it.

use tracing::{info, warn};

use super::builder::Daebus;
use super::startup::{Environment, start};
use super::systemd;
use crate::error::{Error, Result};
use crate::handler::blocking_in_flight;

impl Daebus {
    /// Starts the service and serves until SIGINT or SIGTERM, or until a handler asks to stop; then drains.
    ///
    /// systemd is told how the service is where it asks to be. With `Type=notify`: `READY=1` once every subscription is
    /// confirmed (with `wait_for_bus(false)` as soon as the service is up), `STOPPING=1` when the drain begins, and a
    /// `STATUS=` line whenever the bus goes or comes. With `WatchdogSec=`: `WATCHDOG=1` twice in that time, as long as the
    /// loop that takes messages in turns. `templates/service` has a unit to start from.
    ///
    /// A second signal ends the process at once, with exit code 130 or 143. So does a plain `fn` handler that hasn't
    /// returned when the drain time is over, with exit code 1: its thread can't be stopped otherwise.
    ///
    /// # Errors
    ///
    /// When the service can't start, or handlers had to be cut off at its end. Returned from `main` either gives exit
    /// code 1 and the reason.
    pub async fn run(self) -> Result<()> {
        #[cfg(feature = "args")]
        if self.show_config()? {
            return Ok(());
        }
        serve_until_signal(self).await
    }
}

async fn serve_until_signal(app: Daebus) -> Result<()> {
    let mut signals = Signals::listen()?;
    let environment = Environment::production();
    let interrupt = environment.interrupt.clone();
    let mut starting = Box::pin(start(app, environment));
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
