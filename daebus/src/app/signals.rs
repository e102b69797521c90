//! Running as a process: signals begin the drain, a second one ends it.

use futures_util::future::{join_all, select_all};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::builder::Daebus;
use super::service::Service;
use super::startup::{Environment, start};
use super::systemd;
use crate::error::{Error, Result};
use crate::handler::blocking_in_flight;
use crate::runtime::Shutdown;

impl Daebus {
    /// Starts the service and serves until SIGINT or SIGTERM, or until a handler asks to stop; then drains.
    ///
    /// systemd is told how the service is where it asks to be. With `Type=notify`: `READY=1` once every subscription is
    /// confirmed (with `wait_for_bus(false)` as soon as the service is up), `STOPPING=1` when the drain begins, and a
    /// `STATUS=` line whenever the bus goes or comes. With `WatchdogSec=`: `WATCHDOG=1` twice in that time, while the intake
    /// loop makes progress. `templates/service` has a unit to start from.
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
        serve_until_signal(vec![self]).await
    }
}

/// Starts several services in one process and serves until SIGINT or SIGTERM; then drains all of them at once.
///
/// Signals and systemd are handled as in [`Daebus::run`]. The services start together, and none serves longer than the
/// others: if one doesn't start, or a handler of one asks it to stop, all of them stop.
///
/// ```no_run
/// use daebus::prelude::*;
///
/// #[action("ping")]
/// async fn ping() {}
///
/// #[tokio::main]
/// async fn main() -> daebus::Result<()> {
///     let users = Daebus::new("users").register(blueprint_of!["users"; ping]);
///     let orders = Daebus::new("orders").register(blueprint_of!["orders"; ping]);
///     daebus::run_all([users, orders]).await
/// }
/// ```
///
/// # Errors
///
/// Returns the first error of a service that can't start, with the service's name, or of one whose handlers had to be cut
/// off at its end.
pub async fn run_all(apps: impl IntoIterator<Item = Daebus>) -> Result<()> {
    let apps: Vec<Daebus> = apps.into_iter().collect();
    #[cfg(feature = "args")]
    {
        let mut is_shown = false;
        for app in &apps {
            is_shown |= app.show_config()?;
        }
        if is_shown {
            return Ok(());
        }
    }
    serve_until_signal(apps).await
}

async fn serve_until_signal(apps: Vec<Daebus>) -> Result<()> {
    if apps.is_empty() {
        return Ok(());
    }
    let mut signals = Signals::listen()?;
    let interrupt = CancellationToken::new();
    let mut starting = Box::pin(start_all(apps, interrupt.clone()));
    let services = tokio::select! {
        services = &mut starting => services?,
        signal = signals.next() => {
            info!("{} before the service was up", signal.name);
            interrupt.cancel();
            // What has started is stopped.
            return match signals.unless_again(starting).await {
                Ok(services) => signals.unless_again(stop_all(services)).await,
                Err(Error::Interrupted { .. }) => Ok(()),
                Err(error) => Err(error),
            };
        }
    };
    let shutdowns: Vec<Shutdown> = services.iter().map(Service::shutdown).collect();
    let requested = select_all(shutdowns.iter().map(|shutdown| Box::pin(shutdown.requested())));
    let supervised = systemd::up(&services);
    tokio::select! {
        signal = signals.next() => info!("{}: draining; a second one ends the process at once", signal.name),
        ((), at, _) = requested => info!("a handler asks {} to stop", services[at].name()),
    }
    supervised.stopping();
    let result = signals.unless_again(stop_all(services)).await;
    if result.is_err() && blocking_in_flight() > 0 {
        // The runtime would wait for these threads for as long as they like.
        warn!("a plain fn handler hasn't returned; the process ends without it");
        std::process::exit(1);
    }
    result
}

/// Starts all services at once. If one doesn't start, the others are stopped.
async fn start_all(apps: Vec<Daebus>, interrupt: CancellationToken) -> Result<Vec<Service>> {
    let is_one = apps.len() == 1;
    let starting = apps.into_iter().map(|app| {
        let name = app.shown_name();
        let environment = Environment { interrupt: interrupt.clone(), ..Environment::production() };
        let interrupt = interrupt.clone();
        async move {
            start(app, environment).await.map_err(|error| {
                interrupt.cancel();
                if is_one { error } else { error.of_service(name) }
            })
        }
    });
    let (mut services, mut errors) = (Vec::new(), Vec::new());
    for started in join_all(starting).await {
        match started {
            Ok(service) => services.push(service),
            Err(error) => errors.push(error),
        }
    }
    // A service that was interrupted because of another one is not the reason.
    let first = errors.iter().position(|error| !matches!(error, Error::Interrupted { .. })).unwrap_or(0);
    if errors.is_empty() {
        return Ok(services);
    }
    let error = errors.swap_remove(first);
    if let Err(other) = stop_all(services).await {
        warn!("{other}");
    }
    Err(error)
}

/// Drains all services at once. Returns the first error, and logs the others.
async fn stop_all(services: Vec<Service>) -> Result<()> {
    let stopped = join_all(services.into_iter().map(Service::stop)).await;
    let mut errors = stopped.into_iter().filter_map(Result::err);
    let Some(first) = errors.next() else { return Ok(()) };
    for other in errors {
        warn!("{other}");
    }
    Err(first)
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
