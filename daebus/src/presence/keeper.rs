//! Keeps this instance present: refreshes its info, joins again if necessary, and checks the next instance.

use std::sync::Arc;
use std::time::Duration;

use daebus_caller::bus::{BusState, Standing};
use daebus_caller::wire::presence::{MemberChange, MemberEvent, info_key};
use daebus_caller::{BusError, InstanceId};
use tokio::time::{Instant, sleep_until};
use tracing::warn;

use super::hooks::HookEvent;
use super::join;
use super::state::{PresencePhase, PresenceState, refuses_writes};
use crate::runtime::LogOnChange;

/// The delay after a failed attempt to join again.
const RETRY: Duration = Duration::from_secs(1);

/// Runs until the bus is closed.
pub(super) async fn keep(state: Arc<PresenceState>) {
    let mut connection = ConnectionHooks::new(&state);
    let mut states = state.core.bus.state();
    let every = state.pace().refresh;
    let mut log = LogOnChange::default();
    // The connection may have been lost since the instance joined.
    let mut next = if is_outside(&state) { Instant::now() } else { Instant::now() + every };
    // Whether the connection has returned and no turn has succeeded since.
    let mut is_back = false;
    loop {
        let is_due = tokio::select! {
            biased;
            changed = states.changed() => {
                if changed.is_err() {
                    return;
                }
                let has_returned = connection.changed(&state, *states.borrow_and_update());
                is_back |= has_returned;
                has_returned
            }
            () = sleep_until(next) => true,
            () = state.work.notified() => false,
        };
        match *states.borrow() {
            BusState::Closed => return,
            BusState::Away => {
                next = Instant::now() + every;
                continue;
            }
            BusState::Ready => {}
        }
        let turn = turn(&state, is_due, is_back).await;
        log.log(&"presence", turn.as_ref().err().map(ToString::to_string).as_deref());
        if turn.is_err() {
            next = Instant::now() + RETRY;
        } else {
            is_back = false;
            if is_due {
                next = Instant::now() + every;
            }
        }
    }
}

/// Reports the loss and the return of the connection to the hooks.
struct ConnectionHooks {
    reconnected: Option<Instant>,
    is_away: bool,
}

impl ConnectionHooks {
    fn new(state: &PresenceState) -> Self {
        Self { reconnected: state.core.bus.last_reconnect(), is_away: false }
    }

    /// Returns whether the connection is back.
    fn changed(&mut self, state: &PresenceState, now: BusState) -> bool {
        let reconnected = state.core.bus.last_reconnect();
        let is_back = now == BusState::Ready && reconnected != self.reconnected;
        // The watch may have missed a short outage.
        if !self.is_away && (now == BusState::Away || is_back) {
            state.hooks.send(HookEvent::BusDisconnected);
        }
        self.is_away = now == BusState::Away;
        self.reconnected = reconnected;
        if is_back {
            state.hooks.send(HookEvent::BusConnected);
        }
        is_back
    }
}

/// `is_due`: the refresh is due. `is_back`: the connection was lost, so events may have been missed.
async fn turn(state: &Arc<PresenceState>, is_due: bool, is_back: bool) -> Result<(), BusError> {
    let is_outside = is_outside(state);
    let mut phase = state.phase();
    if is_due && phase == PresencePhase::Joined && !is_outside {
        phase = refresh(state).await?;
    }
    if is_outside || phase == PresencePhase::Lapsed || (is_due && phase == PresencePhase::WritesRefused) {
        if let Err(taken) = join::join(state, false).await? {
            state.stop(taken);
        }
    } else if is_back {
        join::read_others(state).await?;
    } else if is_due {
        check_neighbour(state).await?;
    }
    join::read_infos(state, state.members.unread()).await
}

/// Returns whether the subscription to the service's channel has ended with its connection.
fn is_outside(state: &PresenceState) -> bool {
    state.has_actions() && !state.door.is_open() && !state.door.is_closed()
}

/// Extends the lifetime of the info and of the set.
async fn refresh(state: &PresenceState) -> Result<PresencePhase, BusError> {
    let (pace, sent) = (state.pace(), Instant::now());
    match state.core.bus.refresh(&state.presence(), pace.info, pace.index).await {
        Ok(Standing::Kept) => state.set_kept(sent),
        Ok(Standing::Lapsed) => state.lapse(),
        Ok(Standing::TakenOver) => state.stop(join::holder(state).await?),
        Err(error) if refuses_writes(&error) => state.enter(PresencePhase::WritesRefused, Some(&error)),
        Err(error) => return Err(error),
    }
    Ok(state.phase())
}

/// Checks the next instance of the set, in sorted order, and announces its departure if its info has expired.
async fn check_neighbour(state: &PresenceState) -> Result<(), BusError> {
    let (bus, presence) = (&state.core.bus, state.presence());
    let mut ids = bus.set_members(presence.instances_key()).await?;
    ids.sort();
    let own = presence.id().as_str();
    let next = ids.iter().find(|id| id.as_str() > own).or(ids.first()).filter(|id| *id != own);
    let Some(id) = next.and_then(|id| InstanceId::new(id).ok()) else { return Ok(()) };
    if bus.get(&info_key(&id)).await?.is_some()
        || !bus.set_remove(presence.instances_key(), id.as_str()).await?
    {
        return Ok(());
    }
    warn!(%id, "an instance has not refreshed its presence, announcing its departure");
    let (run, rev) = state.members.run_of(&id).unwrap_or_default();
    state.publish(&MemberEvent { event: MemberChange::Left, id, run, rev }).await
}
