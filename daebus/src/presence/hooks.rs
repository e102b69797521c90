//! Runs the hooks for membership and for the connection to the bus, one after the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tracing::warn;

use super::members::MembershipChange;
use crate::blueprint::Registry;
use crate::handler::{Core, Report, run_hook};
use crate::runtime::Workers;

/// The maximum number of events that wait for a slow hook. Further events are dropped.
const WAITING: usize = 1024;

/// An event that hooks report.
#[derive(Debug)]
pub(crate) enum HookEvent {
    Membership(MembershipChange),
    BusConnected,
    BusDisconnected,
}

/// The queue of the hooks. Empty if the service has none.
#[derive(Debug, Default)]
pub(crate) struct Hooks {
    events: Option<mpsc::Sender<HookEvent>>,
    is_full: AtomicBool,
}

impl Hooks {
    /// Starts the task that runs the hooks until the service is requested to stop.
    pub(crate) fn start(
        core: &Arc<Core>,
        registry: &Arc<Registry>,
        timeout: Duration,
        workers: &Workers,
    ) -> Self {
        if registry.watchers.is_empty() {
            return Self::default();
        }
        let (events, receiver) = mpsc::channel(WAITING);
        workers.spawn(run(Arc::clone(core), Arc::clone(registry), timeout, receiver));
        Self { events: Some(events), is_full: AtomicBool::new(false) }
    }

    pub(crate) fn send(&self, event: HookEvent) {
        let Some(events) = &self.events else { return };
        let is_full = matches!(events.try_send(event), Err(mpsc::error::TrySendError::Full(_)));
        if is_full && !self.is_full.swap(true, Ordering::Relaxed) {
            warn!(limit = WAITING, "the queue of the hooks is full, further events are dropped");
        } else if !is_full {
            self.is_full.store(false, Ordering::Relaxed);
        }
    }

    pub(crate) fn changed(&self, changes: impl IntoIterator<Item = MembershipChange>) {
        for change in changes {
            self.send(HookEvent::Membership(change));
        }
    }
}

async fn run(
    core: Arc<Core>,
    registry: Arc<Registry>,
    timeout: Duration,
    mut events: mpsc::Receiver<HookEvent>,
) {
    let shutdown = core.shutdown.clone();
    loop {
        let event = tokio::select! {
            biased;
            () = shutdown.requested() => return,
            event = events.recv() => event,
        };
        let watchers = &registry.watchers;
        let (trigger, hooks, member) = match event {
            None => return,
            Some(HookEvent::Membership(MembershipChange::Joined(member))) => {
                ("member_joined", &watchers.member_joined, Some(member))
            }
            Some(HookEvent::Membership(MembershipChange::Left(member))) => {
                ("member_left", &watchers.member_left, Some(member))
            }
            Some(HookEvent::BusConnected) => ("bus_connected", &watchers.bus_connected, None),
            Some(HookEvent::BusDisconnected) => ("bus_disconnected", &watchers.bus_disconnected, None),
        };
        for hook in hooks {
            // A failure has been logged; the other hooks still run.
            let _ = run_hook(&core, trigger, hook, timeout, Report::Log, member.clone()).await;
        }
    }
}
