//! The presence of this instance among the instances of its service.

use std::sync::Arc;
use std::time::Duration;

use daebus_caller::BusError;
use daebus_caller::bus::{Deliver, Queue, Standing};
use daebus_caller::wire::presence::MemberChange;
use futures_util::FutureExt;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::hooks::{HookEvent, Hooks};
use super::join;
use super::keeper;
use super::members::Members;
use super::state::{PresencePhase, PresenceState};
use super::step::STEP;
use super::taken::Taken;
use super::when_available::{Join, when_available};
use crate::handler::Core;
use crate::runtime::Workers;

/// The maximum time that a request waits for a lapsed instance to join again.
const SETTLE: Duration = Duration::from_secs(30);

/// The presence of this instance among the instances of its service.
#[derive(Debug, Clone)]
pub(crate) struct Membership {
    state: Arc<PresenceState>,
    tasks: Workers,
}

impl Membership {
    /// Creates the presence of a service with these actions. It joins with [`join`](Self::join).
    pub(crate) fn new(core: &Arc<Core>, actions: Vec<String>, hooks: Hooks) -> Self {
        let state = Arc::new(PresenceState::new(Arc::clone(core), actions, hooks));
        Self { state, tasks: Workers::default() }
    }

    /// Joins the other instances of the service, and keeps this instance present until [`leave`](Self::leave). `receiver`
    /// receives the requests on the instance's channel and, if the service has actions, on the service's channel. It fills
    /// `queue`, which is closed at the end.
    ///
    /// With [`Join::WhenAvailable`] the only error is [`BusError::Closed`]: the service has stopped, or stops because another
    /// process uses its id.
    pub(crate) async fn join(
        &self,
        receiver: Arc<dyn Deliver>,
        queue: Arc<Queue>,
        how: Join,
    ) -> Result<Result<(), Taken>, BusError> {
        let Self { state, tasks } = self;
        state.set_intake(receiver, queue)?;
        let service = &state.core.service;
        let joining = when_available(&*state.core.bus, how, service, || join::join(state, true).boxed());
        let joined = match how {
            Join::UnlessRefused => joining.await?,
            Join::WhenAvailable => tokio::select! {
                biased;
                () = state.core.shutdown.requested() => return Err(BusError::Closed),
                joined = joining => match joined? {
                    Err(taken) => {
                        state.stop(taken);
                        return Err(BusError::Closed);
                    }
                    joined => joined,
                },
            },
        };
        if joined.is_ok() {
            tasks.spawn(keeper::keep(Arc::clone(state)));
            state.hooks.send(HookEvent::BusConnected);
        }
        Ok(joined)
    }

    pub(crate) fn members(&self) -> &Members {
        &self.state.members
    }

    pub(crate) fn phase(&self) -> PresencePhase {
        self.state.phase()
    }

    /// Returns `false` if another process may use this instance's id.
    pub(crate) fn owns_id(&self) -> bool {
        self.state.owns_id()
    }

    /// Marks the instance as lapsed if its info may have expired.
    pub(crate) fn lapse_unless_kept(&self) {
        self.state.lapse_unless_kept();
    }

    /// Returns whether a message that was received at this time arrived while the instance was lapsed, so that another instance
    /// may have run it.
    pub(crate) fn is_lapsed(&self, received: Instant) -> bool {
        self.state.phase() == PresencePhase::Lapsed || self.state.is_of_lapse(received)
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.state.is_draining()
    }

    /// Marks the instance as lapsed: the bus has reported that its info doesn't exist.
    pub(crate) fn lapse(&self) {
        self.state.lapse();
    }

    /// Waits until a lapsed instance has joined again. Returns whether it may run a message that it received at this time.
    pub(crate) async fn settled(&self, received: Instant) -> bool {
        let mut phase = self.state.phase.subscribe();
        let settled = timeout(SETTLE, phase.wait_for(|phase| *phase != PresencePhase::Lapsed)).await;
        matches!(settled, Ok(Ok(_))) && !self.state.is_of_lapse(received)
    }

    /// Notes that the bus refuses to write keys, with this error.
    pub(crate) fn writes_refused(&self, error: &BusError) {
        self.state.enter(PresencePhase::WritesRefused, Some(error));
    }

    /// Announces that the instance takes no new requests. Calls `left` and leaves the service's channel once another instance
    /// takes requests.
    pub(crate) async fn drain(&self, left: impl Fn() + Send + 'static, ended: CancellationToken) {
        self.state.drain();
        if timeout(STEP, self.announce_drain()).await.is_err() {
            debug!("the bus did not confirm the drain in time");
        }
        let state = Arc::clone(&self.state);
        if !state.has_actions() {
            return;
        }
        if state.members.has_running() {
            left();
            return state.door.leave().await;
        }
        self.tasks.spawn(async move {
            let successor = async {
                while !state.members.has_running() {
                    state.joined.notified().await;
                }
            };
            if ended.run_until_cancelled(successor).await.is_some() {
                left();
                state.door.leave().await;
            }
        });
    }

    async fn announce_drain(&self) {
        let state = &self.state;
        let announced = async {
            let presence = state.presence();
            if state.core.bus.amend(&presence, state.revise().write(), state.pace().info).await?
                == Standing::Lapsed
            {
                state.lapse();
            }
            state.announce(MemberChange::Draining).await?;
            join::read_others(state).await
        };
        if let Err(error) = announced.await {
            debug!(%error, "the drain was not announced");
        }
    }

    /// Leaves the channels of requests. Messages that were published before are still delivered.
    pub(crate) async fn close(&self) {
        self.state.door.leave().await;
        self.state.leave_own_channel().await;
        self.state.close_intake();
    }

    /// Announces the departure of the instance and deletes its info.
    pub(crate) async fn leave(&self) {
        // The keeper would write the info again.
        self.tasks.cut_off();
        if !self.tasks.drain(STEP).await {
            debug!("the tasks of the presence did not end in time");
        }
        let state = &self.state;
        let left = async {
            state.announce(MemberChange::Left).await?;
            state.core.bus.withdraw(&state.presence()).await
        };
        match timeout(STEP, left).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => debug!(%error, "the departure was not announced"),
            Err(_) => debug!("the bus did not confirm the departure in time"),
        }
    }

    /// Stops immediately, without a departure: the presence expires.
    pub(crate) fn cut_off(&self) {
        self.tasks.cut_off();
        self.state.drop_subscriptions();
    }

    /// Returns the process that has taken over this instance's id.
    pub(crate) fn taken(&self) -> Option<Taken> {
        self.state.taken()
    }
}
