//! Runs services as a process: a signal begins the drain, and a second one ends the process.

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
    /// Starts the service and runs it until SIGINT or SIGTERM, or until a handler requests the stop; then drains it.
    ///
    /// A second signal ends the process immediately, with exit code 130 or 143. If a plain `fn` handler hasn't returned at the end
    /// of the drain time, the process ends with exit code 1, since a thread can't be stopped.
    ///
    /// The state of the service is reported to systemd if its unit requests it. With `Type=notify`: `READY=1` once all
    /// subscriptions are confirmed (with `wait_for_bus(false)` once the service has started), `STOPPING=1` when the drain
    /// begins, and a `STATUS=` line whenever the connection to the bus is lost or restored. With `WatchdogSec=`: `WATCHDOG=1`
    /// twice per period, while the intake loop makes progress. `templates/service` contains a unit.
    ///
    /// # Errors
    ///
    /// Returns an error if the service can't start, or if handlers are cut off at its stop. If `main` returns the error, the
    /// process prints it and ends with exit code 1.
    pub async fn run(self) -> Result<()> {
        #[cfg(feature = "args")]
        if self.show_config()? {
            return Ok(());
        }
        serve_until_signal(vec![self]).await
    }
}

/// Starts several services in one process and runs them until SIGINT or SIGTERM; then drains all of them concurrently.
///
/// Signals and systemd are handled as in [`Daebus::run`]. The services start concurrently. If one fails to start, or a handler
/// of one requests the stop, all of them stop.
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
/// Returns the error of the first service that can't start, with the name of the service, or the first error of stopping a
/// service.
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
            info!("{} received during the start, stopping", signal.name);
            interrupt.cancel();
            // Services that have started are stopped.
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
        signal = signals.next() => info!("{} received, draining; a second signal ends the process immediately", signal.name),
        ((), at, _) = requested => info!("stop of {} requested by a handler", services[at].name()),
    }
    supervised.stopping();
    let result = signals.unless_again(stop_all(services)).await;
    if result.is_err() && blocking_in_flight() > 0 {
        // The runtime would wait for these threads without a limit.
        warn!("a plain fn handler has not returned, ending the process");
        std::process::exit(1);
    }
    result
}

/// Starts all services concurrently. If one fails to start, the others are stopped.
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
    // Services that were interrupted because another one failed are not the cause.
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

/// Stops all services concurrently. Returns the first error, and logs the others.
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
    /// Awaits a future. A signal in the meantime ends the process.
    async fn unless_again<T>(&mut self, ending: impl Future<Output = T>) -> T {
        tokio::select! {
            ended = ending => ended,
            signal = self.next() => {
                warn!("{} received again, ending the process immediately", signal.name);
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
        // Shells report 128 plus the number of the signal that ended a process.
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
