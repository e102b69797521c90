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
pub(super) fn up(_: &Service) -> elsewhere::Supervised {
    elsewhere::Supervised
}

#[cfg(unix)]
pub(super) use notify::Supervised;

/// The service is up: tells so, and from now on how it is.
///
/// Without its bus, as `wait_for_bus(false)` allows, it counts as up too; the status line has the rest.
#[cfg(unix)]
pub(super) fn up(service: &Service) -> Supervised {
    Supervised::begin(service)
}

#[cfg(unix)]
mod notify {
    use std::sync::Arc;
    use std::time::Duration;

    use daebus_caller::bus::BusState;
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
        pub(super) fn begin(service: &Service) -> Self {
            if std::env::var_os("NOTIFY_SOCKET").is_none() {
                return Self { end: None };
            }
            let ended = CancellationToken::new();
            let core = Arc::clone(service.core());
            tell(&[NotifyState::Ready, NotifyState::Status(&status(&core, false))]);
            tokio::spawn(ended.clone().run_until_cancelled_owned(tell_status(core)));
            let mut microseconds = 0;
            if sd_notify::watchdog_enabled(false, &mut microseconds) {
                let every = Duration::from_micros(microseconds) / 2;
                info!(?every, "systemd's watchdog is fed");
                let pulse = service.actions().pulse().clone();
                tokio::spawn(ended.clone().run_until_cancelled_owned(feed_watchdog(pulse, every)));
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

    /// Tells the status whenever it changes.
    async fn tell_status(core: Arc<Core>) {
        let mut states = core.bus.state();
        loop {
            tokio::select! {
                () = core.readiness.ready(), if !core.readiness.is_ready() => {}
                changed = states.changed() => if changed.is_err() { return },
            }
            let away = *states.borrow_and_update() == BusState::Away;
            tell(&[NotifyState::Status(&status(&core, away))]);
        }
    }

    fn status(core: &Core, away: bool) -> String {
        let location = core.bus.location();
        if !core.readiness.is_ready() {
            format!("waiting for {location}")
        } else if away {
            format!("{location} is away; reconnecting")
        } else {
            format!("ready on {location}")
        }
    }

    /// Feeds the watchdog as long as the loop that takes messages in turns.
    async fn feed_watchdog(pulse: Pulse, every: Duration) {
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut hangs = false;
        loop {
            ticks.tick().await;
            let beats = pulse.beats(every).await;
            if beats {
                tell(&[NotifyState::Watchdog]);
            } else if !hangs {
                error!("no message has been taken in for {every:?}, so systemd's watchdog is not fed");
            }
            hangs = !beats;
        }
    }

    fn tell(states: &[NotifyState<'_>]) {
        // The variables stay for child processes to find or not, as systemd's `NotifyAccess=` decides.
        if let Err(error) = sd_notify::notify(false, states) {
            debug!(%error, "systemd isn't told");
        }
    }
}
