//! Telling systemd how the service is, where systemd has started it and asks (`Type=notify`, `WatchdogSec=`).

use super::Service;

#[cfg(not(unix))]
mod elsewhere {
    /// There is no systemd.
    pub(in crate::app) struct Supervised;

    impl Supervised {
        pub(in crate::app) fn stopping(self) {}
    }
}

/// The service is up: tells so, and from now on how it is.
#[cfg(not(unix))]
pub(super) fn up(_: &[Service]) -> elsewhere::Supervised {
    elsewhere::Supervised
}

#[cfg(unix)]
pub(super) use notify::Supervised;

/// All services of the process are up: reports readiness, and from now on their status.
///
/// Without its bus, as `wait_for_bus(false)` allows, a service counts as up too; the status line has the rest.
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

    /// What systemd is told while the service runs. Dropping it ends that.
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
            tell(&[NotifyState::Ready, NotifyState::Status(&status(&cores))]);
            for at in 0..cores.len() {
                tokio::spawn(ended.clone().run_until_cancelled_owned(tell_status(Arc::clone(&cores), at)));
            }
            let mut microseconds = 0;
            if sd_notify::watchdog_enabled(false, &mut microseconds) {
                let every = Duration::from_micros(microseconds) / 2;
                info!(?every, "systemd's watchdog is fed");
                let pulses = services.iter().map(|service| service.actions().pulse().clone()).collect();
                tokio::spawn(ended.clone().run_until_cancelled_owned(feed_watchdog(pulses, every)));
            }
            Self { end: Some(ended.drop_guard()) }
        }

        /// The drain begins. The watchdog isn't fed any more: systemd has its own limit for stopping.
        pub(in crate::app) fn stopping(self) {
            if self.end.is_some() {
                tell(&[NotifyState::Stopping, NotifyState::Status("draining")]);
            }
        }
    }

    /// Reports the status of all services whenever that of one of them changes.
    async fn tell_status(cores: Arc<[Arc<Core>]>, at: usize) {
        let core = &cores[at];
        let mut states = core.bus.state();
        loop {
            tokio::select! {
                () = core.readiness.ready(), if !core.readiness.is_ready() => {}
                changed = states.changed() => if changed.is_err() { return },
            }
            states.borrow_and_update();
            tell(&[NotifyState::Status(&status(&cores))]);
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

    /// Feeds the watchdog as long as the loops of all services that take messages in turn.
    async fn feed_watchdog(pulses: Vec<Pulse>, every: Duration) {
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut hangs = false;
        loop {
            ticks.tick().await;
            let beats = join_all(pulses.iter().map(|pulse| pulse.beats(every))).await;
            let beats = beats.into_iter().all(|beats| beats);
            if beats {
                tell(&[NotifyState::Watchdog]);
            } else if !hangs {
                error!("no message has been taken in for {every:?}, so systemd's watchdog is not fed");
            }
            hangs = !beats;
        }
    }

    fn tell(states: &[NotifyState<'_>]) {
        // The variables stay set: systemd's `NotifyAccess=` decides whether child processes may notify it.
        if let Err(error) = sd_notify::notify(false, states) {
            debug!(%error, "systemd was not notified");
        }
    }
}
