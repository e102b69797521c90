//! The other instances of the service, from the view of this instance.

use std::collections::BTreeMap;
use std::sync::Arc;

use daebus_caller::__private::LeftRuns;
use daebus_caller::wire::presence::{INFO_TTL, MemberChange, MemberEvent};
use daebus_caller::wire::selection::claim_rank;
use daebus_caller::{Instance, InstanceId};
use parking_lot::Mutex;
use tokio::time::Instant;
use uuid::Uuid;

/// The other instances of the service. The bus's reader applies membership events, so that a request is never handled
/// before an event that was published earlier.
#[derive(Debug, Default)]
pub(crate) struct Members(Mutex<KnownMembers>);

#[derive(Debug, Default)]
struct KnownMembers {
    others: BTreeMap<InstanceId, Member>,
    /// When the last other instance was removed.
    alone_since: Option<Instant>,
    left: LeftRuns,
}

#[derive(Debug)]
struct Member {
    run: Uuid,
    rev: u64,
    is_draining: bool,
    /// `None` until the info has been read.
    info: Option<Arc<Instance>>,
    /// Since when the info has been absent.
    missing_since: Option<Instant>,
}

/// A change that hooks report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MembershipChange {
    Joined(Arc<Instance>),
    Left(Arc<Instance>),
}

impl Members {
    /// Applies an event about another instance.
    pub(crate) fn apply(&self, event: &MemberEvent) -> Vec<MembershipChange> {
        let mut known = self.0.lock();
        match event.event {
            // Published by an instance that has never read the info, so the info decides.
            MemberChange::Left if event.run.is_nil() => {
                let now = Instant::now();
                if let Some(member) = known.others.get_mut(&event.id) {
                    member.missing_since = now.checked_sub(INFO_TTL).or(Some(now));
                }
                Vec::new()
            }
            MemberChange::Left => {
                known.left.remember(event.run, event.rev, Instant::now());
                let is_known = known
                    .others
                    .get(&event.id)
                    .is_some_and(|member| member.run == event.run && member.rev <= event.rev);
                if is_known { known.remove(&event.id).into_iter().collect() } else { Vec::new() }
            }
            MemberChange::Joined | MemberChange::Draining => {
                let is_draining = event.event == MemberChange::Draining;
                known.note(&event.id, event.run, event.rev, is_draining).into_iter().collect()
            }
        }
    }

    /// Applies an info that was read.
    pub(crate) fn found(&self, info: Instance) -> Vec<MembershipChange> {
        let mut known = self.0.lock();
        let mut changes: Vec<_> =
            known.note(&info.id, info.run, info.rev, !info.is_running()).into_iter().collect();
        let Some(member) = known.others.get_mut(&info.id) else { return changes };
        if member.run == info.run && member.rev <= info.rev {
            let info = Arc::new(info);
            member.missing_since = None;
            if member.info.replace(Arc::clone(&info)).is_none_or(|before| before.run != info.run) {
                changes.push(MembershipChange::Joined(info));
            }
        }
        changes
    }

    /// Notes that an info is absent. An instance whose info has been absent for the lifetime of an info is removed: its `left`
    /// event was lost together with the connection.
    pub(crate) fn missing(&self, id: &InstanceId) -> Option<MembershipChange> {
        let mut known = self.0.lock();
        let member = known.others.get_mut(id)?;
        let since = *member.missing_since.get_or_insert_with(Instant::now);
        if since.elapsed() < INFO_TTL {
            return None;
        }
        let (run, rev) = (member.run, member.rev);
        known.left.remember(run, rev, Instant::now());
        known.remove(id)
    }

    /// Returns the instances whose info should be read: not read yet, outdated, or absent at the last read.
    pub(crate) fn unread(&self) -> Vec<InstanceId> {
        let known = self.0.lock();
        let unread = known.others.iter().filter(|(_, member)| {
            member.info.as_ref().is_none_or(|info| info.rev < member.rev) || member.missing_since.is_some()
        });
        unread.map(|(id, _)| id.clone()).collect()
    }

    pub(crate) fn ids(&self) -> Vec<InstanceId> {
        self.0.lock().others.keys().cloned().collect()
    }

    /// Returns the run and the revision of an instance.
    pub(crate) fn run_of(&self, id: &InstanceId) -> Option<(Uuid, u64)> {
        self.0.lock().others.get(id).map(|member| (member.run, member.rev))
    }

    pub(crate) fn count(&self) -> usize {
        self.0.lock().others.len()
    }

    /// Returns whether another instance takes new requests. Instances whose info is absent don't count, since they may be dead.
    pub(crate) fn has_running(&self) -> bool {
        let is_running = |member: &Member| !member.is_draining && member.missing_since.is_none();
        self.0.lock().others.values().any(is_running)
    }

    /// Returns whether another instance may have received a message that this instance received at this time.
    pub(crate) fn may_have_received(&self, received: Instant) -> bool {
        let known = self.0.lock();
        !known.others.is_empty() || known.alone_since.is_some_and(|since| since >= received)
    }

    /// Returns whether another instance lists the action.
    pub(crate) fn list(&self, action: &str) -> bool {
        let known = self.0.lock();
        known.others.values().filter_map(|member| member.info.as_ref()).any(|info| lists(info, action))
    }

    /// Returns whether another instance takes new requests for the action.
    pub(crate) fn can_run(&self, action: &str) -> bool {
        let known = self.0.lock();
        let running = known.others.values().filter(|member| !member.is_draining);
        running.filter_map(|member| member.info.as_ref()).any(|info| lists(info, action))
    }

    /// Returns the rank of the instance `own` for a claim: the number of instances that claim before it. Instances that take
    /// new requests and have the action are ranked first; `own_may_run` is whether `own` does. An instance whose info has not
    /// been read counts as one that has the action.
    pub(crate) fn rank(&self, own: &InstanceId, own_may_run: bool, action: &str, claim_hash: &str) -> usize {
        let own = (own_may_run, claim_rank(own, claim_hash));
        let known = self.0.lock();
        let ranks = known.others.iter().map(|(id, member)| {
            let may_run = !member.is_draining && member.info.as_ref().is_none_or(|info| lists(info, action));
            (may_run, claim_rank(id, claim_hash))
        });
        ranks.filter(|rank| *rank > own).count()
    }
}

fn lists(info: &Instance, action: &str) -> bool {
    info.actions.iter().any(|listed| listed == action)
}

impl KnownMembers {
    /// Notes a revision of an instance. Returns the earlier run of this id, if there was one.
    fn note(&mut self, id: &InstanceId, run: Uuid, rev: u64, is_draining: bool) -> Option<MembershipChange> {
        if self.left.have(run, rev, Instant::now()) {
            return None;
        }
        if let Some(member) = self.others.get_mut(id).filter(|member| member.run == run) {
            if member.rev < rev {
                (member.rev, member.is_draining) = (rev, is_draining);
            }
            member.missing_since = None;
            return None;
        }
        let member = Member { run, rev, is_draining, info: None, missing_since: None };
        let earlier = self.others.insert(id.clone(), member)?;
        self.left.remember(earlier.run, u64::MAX, Instant::now());
        earlier.info.map(MembershipChange::Left)
    }

    fn remove(&mut self, id: &InstanceId) -> Option<MembershipChange> {
        let member = self.others.remove(id)?;
        if self.others.is_empty() {
            self.alone_since = Some(Instant::now());
        }
        member.info.map(MembershipChange::Left)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use daebus_caller::InstanceState;

    use super::*;

    fn id(name: &str) -> InstanceId {
        InstanceId::new(name).unwrap()
    }

    fn info(name: &str, run: u128, rev: u64) -> Instance {
        let mut info = Instance::new(id(name), "svc", Uuid::from_u128(run));
        info.rev = rev;
        info.actions = vec!["act".to_owned()];
        info
    }

    fn event(change: MemberChange, name: &str, run: u128, rev: u64) -> MemberEvent {
        MemberEvent { event: change, id: id(name), run: Uuid::from_u128(run), rev }
    }

    #[tokio::test(start_paused = true)]
    async fn reports_an_instance_once_its_info_is_read_and_when_it_leaves() {
        let members = Members::default();
        assert_eq!(members.apply(&event(MemberChange::Joined, "a", 1, 1)), []);
        assert_eq!(members.unread(), [id("a")]);
        let a = Arc::new(info("a", 1, 1));
        assert_eq!(members.found((*a).clone()), [MembershipChange::Joined(Arc::clone(&a))]);
        assert_eq!(members.found((*a).clone()), []);
        assert_eq!(members.unread(), []);
        assert_eq!(members.apply(&event(MemberChange::Left, "a", 1, 2)), [MembershipChange::Left(a)]);
        assert_eq!(members.apply(&event(MemberChange::Joined, "a", 1, 1)), [], "an event that arrives late");
        assert_eq!(members.count(), 0);
        members.apply(&event(MemberChange::Joined, "a", 1, 3));
        assert_eq!(members.count(), 1, "the same run joins again");
        assert_eq!(members.apply(&event(MemberChange::Left, "a", 1, 2)), [], "an event that arrives late");
        assert_eq!(members.count(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn another_run_replaces_the_earlier_one_whose_left_is_then_ignored() {
        let members = Members::default();
        members.found(info("a", 1, 4));
        let changes = members.found(info("a", 2, 1));
        assert!(matches!(&changes[..], [MembershipChange::Left(old), MembershipChange::Joined(new)]
            if old.run == Uuid::from_u128(1) && new.run == Uuid::from_u128(2)));
        assert_eq!(members.apply(&event(MemberChange::Left, "a", 1, 5)), []);
        assert_eq!(members.count(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_received_before_the_last_other_left_may_have_a_second_receiver() {
        let members = Members::default();
        assert!(!members.may_have_received(Instant::now()));
        members.found(info("a", 1, 1));
        tokio::time::advance(Duration::from_secs(1)).await;
        let before = Instant::now();
        assert!(members.may_have_received(before));
        tokio::time::advance(Duration::from_secs(1)).await;
        members.apply(&event(MemberChange::Left, "a", 1, 1));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(members.may_have_received(before));
        assert!(!members.may_have_received(Instant::now()));
    }

    #[tokio::test(start_paused = true)]
    async fn an_instance_without_info_is_removed_after_the_lifetime_of_an_info() {
        let members = Members::default();
        members.found(info("a", 1, 1));
        assert!(members.has_running());
        assert_eq!(members.missing(&id("a")), None);
        assert!(!members.has_running(), "it may be dead");
        tokio::time::advance(Duration::from_secs(10)).await;
        members.found(info("a", 1, 1));
        assert_eq!(members.missing(&id("a")), None, "the info existed in between");
        tokio::time::advance(Duration::from_secs(15)).await;
        assert!(matches!(members.missing(&id("a")), Some(MembershipChange::Left(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn instances_that_drain_or_lack_the_action_are_ranked_last() {
        let members = Members::default();
        let own = id("own");
        for name in ["a", "b", "c", "d"] {
            members.found(info(name, u128::from(name.as_bytes()[0]), 1));
        }
        let higher = |hash: &str, names: &[&str]| {
            names.iter().filter(|name| claim_rank(&id(name), hash) > claim_rank(&own, hash)).count()
        };
        let all = ["a", "b", "c", "d"];
        let hash_with =
            |count| (0..10_000).map(|n| n.to_string()).find(|hash| higher(hash, &all) == count).unwrap();
        let (hash, low) = (hash_with(4), hash_with(0));
        assert_eq!(members.rank(&own, true, "act", &hash), 4);
        assert_eq!(members.rank(&own, true, "other", &hash), 0);
        assert_eq!(members.rank(&own, false, "other", &hash), 4, "no instance has the action");
        assert_eq!(members.rank(&own, false, "act", &low), 4, "behind all that have the action");
        members.apply(&event(MemberChange::Draining, "a", u128::from(b'a'), 2));
        assert_eq!(members.rank(&own, true, "act", &hash), 3);
        let mut draining = info("b", u128::from(b'b'), 2);
        draining.state = InstanceState::Draining;
        members.found(draining);
        assert_eq!(members.rank(&own, true, "act", &hash), 2);
        members.apply(&event(MemberChange::Joined, "e", 9, 1));
        assert_eq!(members.rank(&own, true, "act", &hash), 2 + higher(&hash, &["e"]), "not read yet");
        assert!(members.list("act") && !members.list("other"));
    }
}
