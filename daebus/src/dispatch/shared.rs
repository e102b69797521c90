//! Requests that other instances of the service receive as well: one instance claims each of them.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use daebus_caller::__private::Backoff;
use daebus_caller::BusError;
use daebus_caller::bus::{Bus, Claimed};
use daebus_caller::wire::presence::{
    CLAIM_HANDICAP, CLAIM_MAX_DELAY, CLAIM_STEP, CLAIM_TTL, Presence, claim_key,
};
use daebus_caller::wire::selection::claim_hash;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;
use tracing::{info, warn};

use super::cancellations::{CancellableRequest, EndedBy};
use super::claim_checks::ClaimChecks;
use super::refusals::Reason;
use crate::handler::{Core, Envelope};
use crate::presence::{Membership, PresencePhase, refuses_writes};
use crate::runtime::EpisodeCount;

/// How many claims are sent at once: enough to keep a connection busy, and few enough that other commands find room.
const CLAIMS_IN_FLIGHT: usize = 1024;

/// How long a claim is repeated that the bus has no room for, unless the request has a budget of its own: callers' default.
const CLAIM_BUDGET: Duration = Duration::from_secs(5);

/// The delays before such a claim is repeated.
const FIRST_DELAY: Duration = Duration::from_millis(5);
const MAX_DELAY: Duration = Duration::from_millis(200);

/// The unit in which the bytes of waiting requests are counted.
const UNIT: usize = 1024;

/// Who may have received a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Receivers {
    /// Only this instance, or each instance runs it.
    Sole,
    /// Other instances as well, so the request is run by the one that claims it.
    Several,
    /// The request arrived while this instance was lapsed: another one may have run it.
    Unknown,
}

/// What happens to a request that other instances may have received.
#[derive(Debug)]
pub(super) enum Decision<P> {
    /// This instance answers it, in the place that was reserved for it before the claim, if there was one.
    Answer(Option<P>),
    /// This instance refuses it: it was sent to this instance only, which may not run it.
    Refuse(Reason),
    /// Another instance answers it.
    Ignore,
}

/// How an attempt to claim a request ended.
enum ClaimOutcome<P> {
    Won(Option<P>),
    Lost,
    /// The bus doesn't have this instance's info.
    Lapsed,
}

/// Requests that other instances of the service receive as well.
pub(super) struct SharedRequests {
    core: Arc<Core>,
    membership: Membership,
    everyone: bool,
    checks: ClaimChecks,
    /// Bounds the requests that wait, in units of bytes.
    waiting: Arc<Semaphore>,
    capacity: usize,
    dropped: EpisodeCount,
    /// Bounds the claims in flight.
    claiming: Semaphore,
    /// Requests that could not be claimed since the last claim that succeeded.
    unclaimed: EpisodeCount,
}

impl SharedRequests {
    /// `everyone`: each instance runs each request. `bytes` bounds the requests that wait for their claim.
    pub(super) fn new(core: &Arc<Core>, membership: Membership, everyone: bool, bytes: usize) -> Self {
        let capacity = (bytes / UNIT).clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        Self {
            core: Arc::clone(core),
            membership,
            everyone,
            checks: ClaimChecks::new(Arc::clone(&core.bus)),
            waiting: Arc::new(Semaphore::new(capacity)),
            capacity,
            dropped: EpisodeCount::default(),
            claiming: Semaphore::new(CLAIMS_IN_FLIGHT),
            unclaimed: EpisodeCount::default(),
        }
    }

    pub(super) fn membership(&self) -> &Membership {
        &self.membership
    }

    /// Whether the request was published on the service's channel, which all instances receive.
    pub(super) fn is_shared(&self, request: &Envelope) -> bool {
        *request.channel == *self.core.service.as_str()
    }

    /// Whether this instance may answer the request. The requests to an instance id that another process has are answered by
    /// that process.
    pub(super) fn may_answer(&self, request: &Envelope) -> bool {
        self.is_shared(request) || self.membership.owns_id()
    }

    /// Who may have received the request.
    pub(super) fn receivers(&self, request: &Envelope) -> Receivers {
        let is_shared = self.is_shared(request);
        if is_shared && (self.everyone || request.request_id.is_none()) {
            return Receivers::Sole;
        }
        // A frozen process may run its intake before it notices that its info has expired. On the service's channel the claim
        // checks the info.
        if !is_shared {
            self.membership.lapse_unless_kept();
        }
        if self.membership.is_lapsed(request.received) {
            return Receivers::Unknown;
        }
        let is_claimed = is_shared
            && (self.core.bus.counts_are_partial()
                || self.membership.members().may_have_received(request.received));
        if is_claimed { Receivers::Several } else { Receivers::Sole }
    }

    /// A place for a request that waits for its claim. `None` if too many wait: another instance answers it.
    pub(super) fn place(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let units = bytes.div_ceil(UNIT).clamp(1, self.capacity);
        let place =
            Arc::clone(&self.waiting).try_acquire_many_owned(u32::try_from(units).unwrap_or(u32::MAX));
        if let Ok(place) = place {
            if let Some(dropped) = self.dropped.end() {
                info!(
                    dropped,
                    "requests on the service's channel are accepted again after some were skipped"
                );
            }
            return Some(place);
        }
        if self.dropped.count() {
            warn!("too many requests wait for their claims, further ones are left to other instances");
        }
        None
    }

    /// Decides about a request that other instances may have received, unless it is ended before. `has_action`: this instance
    /// has its action; `reserve` gives the request a place if this instance can run it now.
    pub(super) async fn decide<P>(
        &self,
        request: &Envelope,
        entry: &CancellableRequest,
        has_action: bool,
        reserve: impl Fn() -> Option<P>,
    ) -> Decision<P> {
        let mut settled = pin!(self.settle(request, has_action, reserve));
        tokio::select! {
            biased;
            ended_by = entry.ended() => match ended_by {
                EndedBy::Caller => Decision::Ignore,
                EndedBy::Drain if !self.is_shared(request) => Decision::Refuse(Reason::ShuttingDown),
                // A claim in flight may succeed, and then no other instance answers.
                EndedBy::Drain => settled.await,
            },
            decision = &mut settled => decision,
        }
    }

    async fn settle<P>(
        &self,
        request: &Envelope,
        has_action: bool,
        reserve: impl Fn() -> Option<P>,
    ) -> Decision<P> {
        loop {
            match self.receivers(request) {
                Receivers::Sole => return Decision::Answer(None),
                Receivers::Unknown => {
                    if !self.membership.settled(request.received).await {
                        let is_own = !self.is_shared(request) && self.membership.owns_id();
                        return if is_own { Decision::Refuse(Reason::Lapsed) } else { Decision::Ignore };
                    }
                }
                Receivers::Several => match self.claim(request, has_action, &reserve).await {
                    ClaimOutcome::Won(place) => return Decision::Answer(place),
                    ClaimOutcome::Lost => return Decision::Ignore,
                    ClaimOutcome::Lapsed => self.membership.lapse(),
                },
            }
        }
    }

    async fn claim<P>(
        &self,
        request: &Envelope,
        has_action: bool,
        reserve: &impl Fn() -> Option<P>,
    ) -> ClaimOutcome<P> {
        let Core { bus, service, identity, .. } = &*self.core;
        let members = self.membership.members();
        let action = request.action.as_deref().unwrap_or_default();
        // An instance that can't run the request leaves it to those that can.
        let is_left = if has_action {
            self.membership.is_draining() && members.can_run(action)
        } else {
            members.list(action)
        };
        if is_left {
            return ClaimOutcome::Lost;
        }
        let reply_channel = request.reply_channel(service.as_str()).ok().flatten().unwrap_or_default();
        let request_id = request.request_id.as_ref().map_or("", |id| id.as_str());
        let hash = claim_hash(&reply_channel, request_id);
        let presence = identity.presence();
        let may_run = has_action && !self.membership.is_draining();
        let rank = members.rank(presence.id(), may_run, action, &hash);
        let mut delay =
            CLAIM_STEP.saturating_mul(u32::try_from(rank).unwrap_or(u32::MAX)).min(CLAIM_MAX_DELAY);
        sleep_unless_zero(delay).await;
        // Before the claim: the drain may begin while the claim is in flight.
        let mut place = reserve();
        if place.is_none() {
            sleep(CLAIM_HANDICAP).await;
            delay += CLAIM_HANDICAP;
            place = reserve();
        }
        if self.membership.phase() == PresencePhase::WritesRefused {
            return if rank == 0 { ClaimOutcome::Won(place) } else { ClaimOutcome::Lost };
        }
        let key = claim_key(service.as_str(), &hash);
        if !delay.is_zero() && self.checks.is_claimed(&key).await {
            return ClaimOutcome::Lost;
        }
        if !has_action && self.has_unknown_subscribers().await {
            return ClaimOutcome::Lost;
        }
        let has_claim = match self.send_claim(request, &presence, &key).await {
            Ok(Claimed::Won) => {
                if let Some(unclaimed) = self.unclaimed.end() {
                    info!(unclaimed, "requests of the service's channel are claimed again");
                }
                true
            }
            Ok(Claimed::Held { .. }) => false,
            Ok(Claimed::Lapsed) => return ClaimOutcome::Lapsed,
            Err(error) if refuses_writes(&error) => {
                self.membership.writes_refused(&error);
                rank == 0
            }
            Err(BusError::Unknown { .. }) => holds_claim(&**bus, &presence, &key).await,
            // Not refused: another instance may claim the request, now or later, and run it. The caller would receive two
            // replies, or send the request again while it runs. Its budget is over by now if the bus had no room.
            Err(error) => {
                if self.unclaimed.count() {
                    warn!(%error, "a request can't be claimed, it is left to other instances; further ones are counted");
                }
                false
            }
        };
        if has_claim { ClaimOutcome::Won(place) } else { ClaimOutcome::Lost }
    }

    /// Sends a claim, and repeats it within the request's budget while the bus has no room for it.
    async fn send_claim(
        &self,
        request: &Envelope,
        presence: &Presence,
        key: &str,
    ) -> Result<Claimed, BusError> {
        let Ok(_turn) = self.claiming.acquire().await else { return Err(BusError::Closed) };
        let budget = request.timeout.unwrap_or(CLAIM_BUDGET);
        let mut delays = Backoff::new(FIRST_DELAY, MAX_DELAY);
        loop {
            match self.core.bus.claim(presence, key, CLAIM_TTL).await {
                Err(error @ BusError::Full { .. }) => {
                    let delay = delays.next_delay();
                    if request.received.elapsed() + delay >= budget {
                        return Err(error);
                    }
                    sleep(delay).await;
                }
                outcome => return outcome,
            }
        }
    }

    /// Whether a subscriber of the service's channel isn't one of the known instances, so that it may have the action.
    async fn has_unknown_subscribers(&self) -> bool {
        let known = self.membership.members().count() as u64 + 1;
        let Core { bus, service, .. } = &*self.core;
        !matches!(bus.subscribers(service.as_str()).await, Ok(subscribers) if subscribers <= known)
    }
}

/// Whether the claim has this instance's own value, after a command to claim it whose outcome is unknown.
async fn holds_claim(bus: &dyn Bus, presence: &Presence, key: &str) -> bool {
    matches!(bus.get(key).await, Ok(Some(value)) if value == presence.holder().as_bytes())
}

async fn sleep_unless_zero(delay: Duration) {
    if !delay.is_zero() {
        sleep(delay).await;
    }
}

#[cfg(test)]
mod tests {
    use daebus_caller::InstanceId;
    use daebus_caller::bus::{MemoryBus, SetOptions};
    use uuid::Uuid;

    use super::*;

    #[tokio::test]
    async fn a_claim_of_unknown_outcome_counts_if_the_key_has_the_value_of_this_run() {
        let bus = MemoryBus::new();
        let presence = |id, run| Presence::new("svc", InstanceId::new(id).unwrap(), Uuid::from_u128(run));
        let own = presence("a", 1);
        assert!(!holds_claim(&*bus, &own, "claim").await, "it was not executed");
        for (other, counts) in
            [(presence("b", 1), false), (presence("a", 2), false), (presence("a", 1), true)]
        {
            bus.set("claim", other.holder().to_owned().into(), SetOptions::default()).await.unwrap();
            assert_eq!(holds_claim(&*bus, &own, "claim").await, counts, "{}", other.holder());
        }
        bus.close().await;
        assert!(!holds_claim(&*bus, &own, "claim").await, "the bus does not answer");
    }
}
