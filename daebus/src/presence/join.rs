//! Joins the other instances of the service: at the start, after a reconnect and after a lapse.

use std::sync::Arc;
use std::time::Duration;

use daebus_caller::bus::{KeyExpiry, SetOptions, Standing};
use daebus_caller::wire::presence::{MemberChange, info_key};
use daebus_caller::{BusError, Instance, InstanceId};
use tokio::time::{Instant, sleep};
use tracing::{debug, info, warn};

use super::state::{PresencePhase, PresenceState, refuses_writes};
use super::taken::Taken;

/// The interval at which the expiry of an id in use is checked.
const EXPIRY_CHECK: Duration = Duration::from_millis(250);

/// The maximum number of ids that are drawn again. Random ids collide so rarely that the cause is another one if all are in use.
const MAX_DRAWN: u32 = 8;

/// The delay beyond the expected expiry of a key after which the key counts as refreshed.
const TOLERANCE: Duration = Duration::from_secs(1);

/// Joins: announces this instance, reads the others, and then subscribes to the service's channel. So every other instance
/// sees `joined` before the first request that both receive.
pub(super) async fn join(state: &Arc<PresenceState>, is_first: bool) -> Result<Result<(), Taken>, BusError> {
    state.listen().await?;
    let before = state.phase();
    let earlier = match write(state, is_first).await {
        Ok(Ok(earlier)) => earlier,
        Ok(Err(taken)) => return Ok(Err(taken)),
        Err(error) if refuses_writes(&error) => {
            state.own_id();
            state.enter(PresencePhase::WritesRefused, Some(&error));
            // The others must be notified of this instance before both receive a request.
            if let Err(error) = state.announce(change(state)).await {
                debug!(%error, "the instance was not announced");
            }
            if is_first && let Err(error) = read_others(state).await {
                debug!(%error, "can't read the other instances");
            }
            open(state).await?;
            return Ok(Ok(()));
        }
        Err(error) => return Err(error),
    };
    state.own_id();
    state.announce(change(state)).await?;
    let is_lapse = before == PresencePhase::Lapsed
        || (before == PresencePhase::Joined && earlier == EarlierInfo::Absent);
    if !is_first && is_lapse {
        // After this, all messages published before the announcement are delivered. Another instance may have run them.
        state.core.bus.sync().await?;
        state.set_lapsed_until(Some(Instant::now()));
    }
    read_others(state).await?;
    if is_alone(state).await? {
        state.set_lapsed_until(None);
    }
    open(state).await?;
    state.enter(PresencePhase::Joined, None);
    Ok(Ok(()))
}

/// Returns the change that this instance announces.
fn change(state: &PresenceState) -> MemberChange {
    if state.is_draining() { MemberChange::Draining } else { MemberChange::Joined }
}

async fn open(state: &PresenceState) -> Result<(), BusError> {
    let Some(intake) = state.intake().filter(|_| state.has_actions()) else { return Ok(()) };
    let core = &state.core;
    state.door.open(&*core.bus, core.service.shared(), intake).await
}

/// Whether an earlier info existed when the info was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EarlierInfo {
    Replaced,
    Absent,
}

/// Writes the info and the entry in the set.
async fn write(state: &Arc<PresenceState>, is_first: bool) -> Result<Result<EarlierInfo, Taken>, BusError> {
    let bus = &state.core.bus;
    let pace = state.pace();
    let only_if_absent = SetOptions { ttl: Some(pace.info), only_if_absent: true };
    let mut drawn = 0;
    loop {
        let info = state.revise().write();
        let presence = state.presence();
        let sent = Instant::now();
        let earlier = match bus.amend(&presence, info.clone(), pace.info).await? {
            Standing::Kept => EarlierInfo::Replaced,
            Standing::Lapsed if bus.set(presence.info_key(), info, only_if_absent).await? => {
                EarlierInfo::Absent
            }
            Standing::Lapsed => continue,
            Standing::TakenOver if !is_first => return Ok(Err(holder(state).await?)),
            Standing::TakenOver if state.core.identity.is_configured() => {
                if let Err(taken) = wait_for_expiry(state).await? {
                    return Ok(Err(taken));
                }
                continue;
            }
            Standing::TakenOver if drawn == MAX_DRAWN => return Ok(Err(holder(state).await?)),
            Standing::TakenOver => {
                drawn += 1;
                state.core.identity.redraw();
                state.listen().await?;
                continue;
            }
        };
        // Refreshes the set.
        bus.refresh(&presence, pace.info, pace.index).await?;
        state.set_kept(sent);
        return Ok(Ok(earlier));
    }
}

/// Returns the process that uses this instance's id.
pub(super) async fn holder(state: &PresenceState) -> Result<Taken, BusError> {
    let presence = state.presence();
    let info = state.core.bus.get(presence.info_key()).await?;
    Ok(Taken::new(presence.id().clone(), info.and_then(|info| Instance::read(&info).ok())))
}

/// Waits until the configured id of this instance is free. Returns its holder if the holder is alive.
async fn wait_for_expiry(state: &PresenceState) -> Result<Result<(), Taken>, BusError> {
    let (presence, bus) = (state.presence(), &state.core.bus);
    let taken = holder(state).await?;
    let mut expected = None;
    loop {
        let left = match bus.time_to_live(presence.info_key()).await? {
            KeyExpiry::Absent => return Ok(Ok(())),
            KeyExpiry::Never => return Ok(Err(taken)),
            KeyExpiry::After(left) => left,
        };
        let now = Instant::now();
        let first = *expected.get_or_insert_with(|| {
            info!(id = %presence.id(), within = ?left, holder = %taken, "instance id in use, waiting for its expiry");
            now + left
        });
        if now + left > first + TOLERANCE {
            return Ok(Err(taken));
        }
        sleep(EXPIRY_CHECK.min(left + Duration::from_millis(1))).await;
    }
}

/// Reads the infos of all other instances: those in the set, and those seen before.
pub(super) async fn read_others(state: &PresenceState) -> Result<(), BusError> {
    let own = state.core.identity.id();
    let set = state.core.bus.set_members(state.presence().instances_key()).await?;
    let mut ids: Vec<InstanceId> = set.iter().filter_map(|id| InstanceId::new(id).ok()).collect();
    ids.extend(state.members.ids());
    ids.sort();
    ids.dedup();
    ids.retain(|id| *id != own);
    read_infos(state, ids).await
}

/// Reads the infos of these instances.
pub(super) async fn read_infos(state: &PresenceState, ids: Vec<InstanceId>) -> Result<(), BusError> {
    if ids.is_empty() {
        return Ok(());
    }
    let keys: Vec<String> = ids.iter().map(info_key).collect();
    let infos = state.core.bus.get_many(&keys).await?;
    for (id, info) in ids.iter().zip(infos) {
        match info.map(|info| Instance::read(&info)) {
            Some(Ok(info)) => state.hooks.changed(state.members.found(info)),
            Some(Err(error)) => warn!(%id, %error, "can't read the info of an instance"),
            // While the bus refuses writes, a missing info doesn't mean that the instance is dead.
            None if state.phase() == PresencePhase::WritesRefused => {}
            None => state.hooks.changed(state.members.missing(id)),
        }
    }
    Ok(())
}

/// Returns whether no other process can have received the requests on the service's channel.
pub(super) async fn is_alone(state: &PresenceState) -> Result<bool, BusError> {
    let bus = &state.core.bus;
    if state.members.count() > 0 || bus.counts_are_partial() {
        return Ok(false);
    }
    // After a reconnect this instance isn't subscribed, so that a single subscriber is another process.
    Ok(bus.subscribers(state.core.service.as_str()).await? <= u64::from(state.door.is_open()))
}
