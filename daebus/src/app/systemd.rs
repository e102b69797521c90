//! Reports the state of the services to systemd, if their unit requests it (`Type=notify`, `WatchdogSec=`).

use super::Service;

#[cfg(not(unix))]
mod elsewhere {
    /// Does nothing: there is no systemd.
    pub(in crate::app) struct Supervised;

    impl Supervised {
        pub(in crate::app) fn stopping(self) {}
    }
}

#[cfg(not(unix))]
pub(super) fn up(_: &[Service]) -> elsewhere::Supervised {
    elsewhere::Supervised
}

#[cfg(unix)]
pub(super) use notify::Supervised;

/// Reports readiness, and begins to report the status. All services of the process have started.
///
/// With `wait_for_bus(false)`, a service counts as ready without its bus; the status line contains that.
#[cfg(unix)]
pub(super) fn up(services: &[Service]) -> Supervised {
    Supervised::begin(services)
}

#[cfg(unix)]
mod notify {
    use std::sync::Arc;
    use std::time::Duration;

    use daebus_caller::bus::BusState;
    use futures_util::future::join_all;
    use sd_notify::NotifyState;
    use tokio_util::sync::{CancellationToken, DropGuard};
    use tracing::{debug, error, info};

    use crate::app::Service;
    use crate::dispatch::Pulse;
    use crate::handler::Core;

    /// The tasks that report to systemd. Dropping it ends them.
    pub(in crate::app) struct Supervised {
        end: Option<DropGuard>,
    }

    impl Supervised {
        pub(super) fn begin(services: &[Service]) -> Self {
            if std::env::var_os("NOTIFY_SOCKET").is_none() {
                return Self { end: None };
            }
            let ended = CancellationToken::new();
            let cores: Arc<[Arc<Core>]> = services.iter().map(|service| Arc::clone(service.core())).collect();
            notify(&[NotifyState::Ready, NotifyState::Status(&status(&cores))]);
            for at in 0..cores.len() {
                tokio::spawn(ended.clone().run_until_cancelled_owned(report_status(Arc::clone(&cores), at)));
            }
            let mut microseconds = 0;
            if sd_notify::watchdog_enabled(false, &mut microseconds) {
                let every = Duration::from_micros(microseconds) / 2;
                info!(?every, "notifying systemd's watchdog");
                let pulses = services.iter().map(|service| service.actions().pulse().clone()).collect();
                tokio::spawn(ended.clone().run_until_cancelled_owned(feed_watchdog(pulses, every)));
            }
            Self { end: Some(ended.drop_guard()) }
        }

        /// Reports the drain. Watchdog notifications end, since systemd has a limit of its own for the stop.
        pub(in crate::app) fn stopping(self) {
            if self.end.is_some() {
                notify(&[NotifyState::Stopping, NotifyState::Status("draining")]);
            }
        }
    }

    /// Reports the status of all services whenever that of service `at` changes.
    async fn report_status(cores: Arc<[Arc<Core>]>, at: usize) {
        let core = &cores[at];
        let mut states = core.bus.state();
        loop {
            tokio::select! {
                () = core.readiness.ready(), if !core.readiness.is_ready() => {}
                changed = states.changed() => if changed.is_err() { return },
            }
            states.borrow_and_update();
            notify(&[NotifyState::Status(&status(&cores))]);
        }
    }

    fn status(cores: &[Arc<Core>]) -> String {
        match cores {
            [only] => status_of(only),
            several => {
                let lines: Vec<String> =
                    several.iter().map(|core| format!("{}: {}", core.service, status_of(core))).collect();
                lines.join("; ")
            }
        }
    }

    fn status_of(core: &Core) -> String {
        let location = core.bus.location();
        let away = *core.bus.state().borrow() == BusState::Away;
        if !core.readiness.is_ready() {
            format!("waiting for {location}")
        } else if away {
            format!("{location} is away; reconnecting")
        } else {
            format!("ready on {location}")
        }
    }

    /// Notifies the watchdog as long as the intake loops of all services make progress.
    async fn feed_watchdog(pulses: Vec<Pulse>, every: Duration) {
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut hangs = false;
        loop {
            ticks.tick().await;
            let beats = join_all(pulses.iter().map(|pulse| pulse.beats(every))).await;
            let beats = beats.into_iter().all(|beats| beats);
            if beats {
                notify(&[NotifyState::Watchdog]);
            } else if !hangs {
                error!("the intake made no progress for {every:?}, not notifying systemd's watchdog");
            }
            hangs = !beats;
        }
    }

    fn notify(states: &[NotifyState<'_>]) {
        // The variables stay set: systemd's `NotifyAccess=` decides whether child processes may notify it.
        if let Err(error) = sd_notify::notify(false, states) {
            debug!(%error, "systemd was not notified");
        }
    }
}
