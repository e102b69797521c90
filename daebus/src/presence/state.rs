//! The shared state of the presence of one running service.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use daebus_caller::bus::{Deliver, Message, Queue, Subscription, Topic};
use daebus_caller::wire::presence::{MemberChange, MemberEvent, Presence, instance_channel, members_channel};
use daebus_caller::{BusError, Instance, InstanceId, InstanceState};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use super::door::Door;
use super::hooks::Hooks;
use super::members::Members;
use super::pace::Pace;
use super::step::STEP;
use super::taken::Taken;
use crate::handler::Core;
use crate::runtime::host_name;

/// Whether this instance is visible to the other instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PresencePhase {
    /// The info is refreshed.
    Joined,
    /// The info has expired or was lost, and has not been written again.
    Lapsed,
    /// The bus publishes messages but refuses to write keys.
    WritesRefused,
}

/// The shared state of the presence of one running service.
pub(super) struct PresenceState {
    pub(super) core: Arc<Core>,
    pub(super) members: Arc<Members>,
    pub(super) hooks: Hooks,
    /// The subscription to the service's channel.
    pub(super) door: Door,
    pub(super) phase: watch::Sender<PresencePhase>,
    /// Wakes the keeper.
    pub(super) work: Notify,
    /// Notified when another instance may have begun to take requests.
    pub(super) joined: Notify,
    actions: Vec<String>,
    intake: Mutex<IntakePhase>,
    pace: Pace,
    described: Mutex<Described>,
    /// Messages received up to this time arrived while the instance was lapsed.
    lapsed_until: Mutex<Option<Instant>>,
    /// When the last command that refreshed or wrote the info was sent.
    kept: Mutex<Option<Instant>>,
    /// Whether this instance owns its id. Otherwise messages on the instance's own channel are dropped: the process that uses
    /// the id receives them as well.
    owns_id: Arc<AtomicBool>,
    subscriptions: Mutex<Option<OwnSubscriptions>>,
    taken: Mutex<Option<Taken>>,
}

#[derive(Default)]
enum IntakePhase {
    /// The instance hasn't begun to join.
    #[default]
    Before,
    Open(RequestIntake),
    Closed,
}

/// The requests that are received and not yet admitted.
struct RequestIntake {
    receiver: Arc<dyn Deliver>,
    /// The queue that the receiver fills.
    queue: Arc<Queue>,
}

#[derive(Debug, Clone, Copy)]
struct Described {
    rev: u64,
    state: InstanceState,
}

struct OwnSubscriptions {
    id: InstanceId,
    own: Subscription,
    _members: Subscription,
}

impl PresenceState {
    pub(super) fn new(core: Arc<Core>, actions: Vec<String>, hooks: Hooks) -> Self {
        let pace = if core.clock.is_simulated() { Pace::SIMULATED } else { Pace::PROTOCOL };
        Self {
            core,
            members: Arc::default(),
            hooks,
            door: Door::default(),
            phase: watch::Sender::new(PresencePhase::Joined),
            work: Notify::new(),
            joined: Notify::new(),
            actions,
            intake: Mutex::default(),
            pace,
            described: Mutex::new(Described { rev: 0, state: InstanceState::Running }),
            lapsed_until: Mutex::default(),
            kept: Mutex::default(),
            owns_id: Arc::default(),
            subscriptions: Mutex::default(),
            taken: Mutex::default(),
        }
    }

    pub(super) fn presence(&self) -> Arc<Presence> {
        self.core.identity.presence()
    }

    /// Returns whether the service has actions, so that it subscribes to its channel.
    pub(super) fn has_actions(&self) -> bool {
        !self.actions.is_empty()
    }

    pub(super) fn is_draining(&self) -> bool {
        self.described.lock().state == InstanceState::Draining
    }

    pub(super) fn drain(&self) {
        self.described.lock().state = InstanceState::Draining;
    }

    /// Returns the next revision of the instance's description.
    pub(super) fn revise(&self) -> Instance {
        let described = {
            let mut described = self.described.lock();
            described.rev += 1;
            *described
        };
        let Core { service, identity, about, .. } = &*self.core;
        let presence = identity.presence();
        let mut instance = Instance::new(presence.id().clone(), service.as_str(), presence.run());
        instance.version.clone_from(&about.version);
        instance.description.clone_from(&about.description);
        instance.host = host_name();
        instance.pid = std::process::id();
        instance.started = u64::try_from(about.started.as_millisecond()).unwrap_or_default();
        instance.rev = described.rev;
        instance.state = described.state;
        instance.actions.clone_from(&self.actions);
        instance
    }

    /// Publishes a change of this instance. Returns once the bus has delivered it to its connections.
    pub(super) async fn announce(&self, change: MemberChange) -> Result<(), BusError> {
        let presence = self.presence();
        let rev = self.described.lock().rev;
        let event = MemberEvent { event: change, id: presence.id().clone(), run: presence.run(), rev };
        self.publish(&event).await
    }

    pub(super) async fn publish(&self, event: &MemberEvent) -> Result<(), BusError> {
        let channel = members_channel(self.core.service.as_str());
        self.core.bus.publish(&channel, event.write()).await.map(drop)
    }

    pub(super) fn pace(&self) -> Pace {
        self.pace
    }

    pub(super) fn intake(&self) -> Option<Arc<dyn Deliver>> {
        match &*self.intake.lock() {
            IntakePhase::Open(intake) => Some(Arc::clone(&intake.receiver)),
            IntakePhase::Before | IntakePhase::Closed => None,
        }
    }

    /// Opens the intake. Fails if the service has stopped in the meantime, since storing the receiver would keep the bus open.
    pub(super) fn set_intake(&self, receiver: Arc<dyn Deliver>, queue: Arc<Queue>) -> Result<(), BusError> {
        let mut intake = self.intake.lock();
        if let IntakePhase::Closed = *intake {
            queue.close();
            return Err(BusError::Closed);
        }
        *intake = IntakePhase::Open(RequestIntake { receiver, queue });
        Ok(())
    }

    /// Closes the intake. Requests in its queue are still admitted.
    pub(super) fn close_intake(&self) {
        let intake = std::mem::replace(&mut *self.intake.lock(), IntakePhase::Closed);
        if let IntakePhase::Open(RequestIntake { queue, .. }) = intake {
            queue.close();
        }
    }

    /// Subscribes to the instance's own channel and to the members channel, unless it is subscribed under its current id.
    pub(super) async fn listen(self: &Arc<Self>) -> Result<(), BusError> {
        let id = self.core.identity.id();
        if self.subscriptions.lock().as_ref().is_some_and(|subscriptions| subscriptions.id == id) {
            return Ok(());
        }
        let Some(intake) = self.intake() else { return Ok(()) };
        let bus = &self.core.bus;
        let channel = |name: String| Topic::Channel(name.into());
        let owns_id = Arc::clone(&self.owns_id);
        let requests = move |message: Message| {
            if owns_id.load(Ordering::Acquire) {
                intake.deliver(message);
            }
        };
        let own = bus.subscribe(channel(instance_channel(&id)), Arc::new(requests)).await?;
        let state = Arc::downgrade(self);
        let deliver = move |message: Message| {
            if let Some(state) = state.upgrade() {
                state.apply(&message);
            }
        };
        let members = channel(members_channel(self.core.service.as_str()));
        let members = bus.subscribe(members, Arc::new(deliver)).await?;
        *self.subscriptions.lock() = Some(OwnSubscriptions { id, own, _members: members });
        Ok(())
    }

    /// Leaves the instance's own channel. Messages that were published before are still delivered.
    pub(super) async fn leave_own_channel(&self) {
        let subscriptions = self.subscriptions.lock().take();
        if let Some(OwnSubscriptions { own, .. }) = subscriptions
            && tokio::time::timeout(STEP, own.leave()).await.is_err()
        {
            debug!("the bus did not confirm the end of the subscription in time");
        }
    }

    pub(super) fn drop_subscriptions(&self) {
        self.door.close();
        let subscriptions = self.subscriptions.lock().take();
        drop(subscriptions);
        self.close_intake();
    }

    /// Applies a membership event. Runs in the bus's reader.
    fn apply(&self, message: &Message) {
        let event = match MemberEvent::read(&message.payload) {
            Ok(event) => event,
            Err(error) => return debug!(%error, "invalid membership event ignored"),
        };
        let presence = self.presence();
        if event.id == *presence.id() {
            // Another instance has found that the info of this one has expired.
            if event.event == MemberChange::Left && event.run == presence.run() {
                self.lapse();
            }
            return;
        }
        self.hooks.changed(self.members.apply(&event));
        if event.event == MemberChange::Joined {
            self.joined.notify_one();
        }
        self.work.notify_one();
    }

    /// Marks the instance as lapsed, so that the keeper joins again.
    pub(super) fn lapse(&self) {
        let lapsed = self.phase.send_if_modified(|phase| {
            let is_new = *phase == PresencePhase::Joined;
            if is_new {
                *phase = PresencePhase::Lapsed;
            }
            is_new
        });
        if lapsed {
            warn!(id = %self.core.identity.id(), "the presence of this instance has expired or was lost, joining again");
            self.work.notify_one();
        }
    }

    /// Sets the phase after an attempt to write. Logs when the bus begins to refuse writes and when it accepts them again.
    pub(super) fn enter(&self, next: PresencePhase, reason: Option<&BusError>) {
        let before = self.phase.send_replace(next);
        match (before == PresencePhase::WritesRefused, next == PresencePhase::WritesRefused) {
            (false, true) => {
                let reason = reason.map(ToString::to_string).unwrap_or_default();
                error!(
                    reason,
                    "the bus refuses to write keys: the list of instances is not updated, and one of them answers each request"
                );
            }
            (true, false) => info!("the bus writes keys again"),
            _ => {}
        }
    }

    pub(super) fn phase(&self) -> PresencePhase {
        *self.phase.borrow()
    }

    /// Returns whether a message was received while the instance was lapsed, so that it must not run. Only valid while the phase
    /// isn't `Lapsed`.
    pub(super) fn is_of_lapse(&self, received: Instant) -> bool {
        self.lapsed_until.lock().is_some_and(|until| received <= until)
    }

    pub(super) fn set_lapsed_until(&self, until: Option<Instant>) {
        *self.lapsed_until.lock() = until;
    }

    /// Notes that this instance owns its id.
    pub(super) fn own_id(&self) {
        self.owns_id.store(true, Ordering::Release);
    }

    pub(super) fn owns_id(&self) -> bool {
        self.owns_id.load(Ordering::Acquire)
    }

    /// Notes that a command sent at `sent` has refreshed or written the info.
    pub(super) fn set_kept(&self, sent: Instant) {
        *self.kept.lock() = Some(sent);
    }

    /// Marks the instance as lapsed if its info may have expired since the last refresh: the process may have been frozen.
    pub(super) fn lapse_unless_kept(&self) {
        let may_have_expired = self.kept.lock().is_some_and(|sent| sent.elapsed() >= self.pace.info);
        if may_have_expired {
            self.lapse();
        }
    }

    /// Stops the service, since another process uses its id. Requests to this id are for that process.
    pub(super) fn stop(&self, taken: Taken) {
        error!(error = %taken, "the service is stopping");
        self.owns_id.store(false, Ordering::Release);
        *self.taken.lock() = Some(taken);
        self.door.close();
        let subscriptions = self.subscriptions.lock().take();
        drop(subscriptions);
        self.core.shutdown.request();
    }

    pub(super) fn taken(&self) -> Option<Taken> {
        self.taken.lock().clone()
    }
}

impl fmt::Debug for PresenceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresenceState").field("phase", &self.phase()).finish_non_exhaustive()
    }
}

/// Returns whether the bus refuses to write keys although it publishes messages: it is out of memory, can't persist, is a
/// replica, or its ACL forbids it.
pub(crate) fn refuses_writes(error: &BusError) -> bool {
    const CODES: [&str; 4] = ["OOM", "MISCONF", "READONLY", "NOPERM"];
    // The errors of a refused command in a script. Before Redis 7, the code is in the middle of the message.
    const IN_SCRIPT: [&str; 5] =
        ["ACL failure in script", "can't run this command", "-OOM ", "-MISCONF ", "-READONLY "];
    matches!(error, BusError::Refused { reason, .. }
        if CODES.iter().any(|code| reason.starts_with(code)) || IN_SCRIPT.iter().any(|words| reason.contains(words)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognises_refused_writes_in_scripts_of_all_redis_versions() {
        let error = |reason: &str| BusError::Refused { location: String::new(), reason: reason.to_owned() };
        for reason in [
            "OOM command not allowed when used memory > 'maxmemory'.",
            "ERR Error running script (call to f_6bb): @user_script:4: @user_script: 4: -OOM command not allowed",
            "ERR Error running script (call to f_6bb): @user_script:4: @user_script: 4: -READONLY You can't write",
            "ERR Error running script (call to f_6bb): @user_script:4: @user_script: 4: -MISCONF Errors writing",
        ] {
            assert!(refuses_writes(&error(reason)), "{reason}");
        }
        assert!(!refuses_writes(&error("WRONGTYPE Operation against a key")));
    }
}
