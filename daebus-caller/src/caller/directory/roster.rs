//! The instances of a service, from their infos and from membership events. No I/O.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::Instant;

use super::member::Member;
use crate::left_runs::LeftRuns;
use crate::wire::presence::{MemberChange, MemberEvent};
use crate::wire::{Instance, InstanceId, InstanceState};

/// The maximum number of instances of one service.
pub(super) const LIMIT: usize = 1024;

/// The instances of a service.
#[derive(Debug, Default)]
pub(super) struct Roster {
    entries: BTreeMap<InstanceId, RosterEntry>,
    left: LeftRuns,
    /// The number of readings that have begun.
    readings: u64,
}

#[derive(Debug)]
struct RosterEntry {
    info: Instance,
    member: Arc<Member>,
    /// The number of readings that had begun when the instance was last found alive.
    seen: u64,
    /// Its channel had no receiver, so it is not selected until then.
    suspended: Option<Instant>,
}

/// What a membership event changes.
#[derive(Debug)]
pub(super) enum Heard {
    Nothing,
    /// The instance's info has to be read.
    Unread(InstanceId),
    /// The list of instances has changed.
    Changed,
    /// An instance has left.
    Left(Arc<Member>),
}

/// What an info changes.
#[derive(Debug, Default)]
pub(super) struct Learned {
    pub(super) changed: bool,
    /// The run that has ended.
    pub(super) ended: Option<Arc<Member>>,
}

impl Roster {
    /// Applies a membership event.
    pub(super) fn hear(&mut self, event: MemberEvent, now: Instant) -> Heard {
        let readings = self.readings;
        let entry = self.entries.get_mut(&event.id).filter(|entry| entry.info.run == event.run);
        match (event.event, entry) {
            (MemberChange::Joined, Some(entry)) if entry.info.rev >= event.rev => {
                entry.seen = readings;
                match entry.suspended.take() {
                    Some(_) => Heard::Changed,
                    None => Heard::Nothing,
                }
            }
            (MemberChange::Draining, Some(entry)) if entry.info.rev >= event.rev => Heard::Nothing,
            (MemberChange::Draining, Some(entry)) => {
                entry.info.state = InstanceState::Draining;
                entry.info.rev = event.rev;
                Heard::Changed
            }
            (MemberChange::Left, Some(entry)) if entry.info.rev > event.rev => Heard::Nothing,
            (MemberChange::Left, Some(_)) => {
                let entry = self.entries.remove(&event.id);
                self.left.remember(event.run, event.rev, now);
                entry.map_or(Heard::Nothing, |entry| Heard::Left(entry.member))
            }
            (MemberChange::Left, None) => {
                self.left.remember(event.run, event.rev, now);
                Heard::Nothing
            }
            (MemberChange::Joined | MemberChange::Draining, _) => Heard::Unread(event.id),
        }
    }

    /// Begins a reading of infos, and returns its number for [`Self::learn_absent`].
    pub(super) fn begin_reading(&mut self) -> u64 {
        self.readings += 1;
        self.readings
    }

    /// Applies an info that was read.
    pub(super) fn learn(&mut self, info: Instance, now: Instant) -> Learned {
        if self.left.have(info.run, info.rev, now) {
            return Learned::default();
        }
        let readings = self.readings;
        if let Some(entry) = self.entries.get_mut(&info.id)
            && entry.info.run == info.run
        {
            entry.seen = readings;
            let changed = entry.info.rev < info.rev;
            if changed {
                entry.info = info;
            }
            return Learned { changed, ended: None };
        }
        if self.entries.len() >= LIMIT && !self.entries.contains_key(&info.id) {
            tracing::debug!(service = info.service, instance = %info.id, "too many instances, one is ignored");
            return Learned::default();
        }
        let entry =
            RosterEntry { member: Member::new(&info), info: info.clone(), seen: readings, suspended: None };
        let ended = self.entries.insert(info.id.clone(), entry).map(|old| {
            // A reading of its info may end later.
            self.left.remember(old.info.run, u64::MAX, now);
            old.member
        });
        Learned { changed: true, ended }
    }

    /// Removes an instance whose info the reading of that number did not find, unless it was found alive since the reading
    /// began.
    pub(super) fn learn_absent(&mut self, id: &InstanceId, reading: u64) -> Learned {
        if self.entries.get(id).is_none_or(|entry| entry.seen >= reading) {
            return Learned::default();
        }
        let ended = self.entries.remove(id).map(|entry| entry.member);
        Learned { changed: true, ended }
    }

    /// Excludes an instance from the selection for a time, because its channel had no receiver.
    pub(super) fn suspend(&mut self, member: &Arc<Member>, until: Instant) {
        if let Some(entry) = self.entries.get_mut(&member.id)
            && Arc::ptr_eq(&entry.member, member)
        {
            entry.suspended = Some(until);
        }
    }

    /// Ends the suspensions that have passed; returns whether there were any, and when the next one passes.
    pub(super) fn resume(&mut self, now: Instant) -> (bool, Option<Instant>) {
        let (mut changed, mut next) = (false, None::<Instant>);
        for entry in self.entries.values_mut() {
            match entry.suspended {
                Some(until) if until <= now => {
                    entry.suspended = None;
                    changed = true;
                }
                Some(until) => next = Some(next.map_or(until, |next| next.min(until))),
                None => {}
            }
        }
        (changed, next)
    }

    /// Returns all instances, sorted by id.
    pub(super) fn instances(&self) -> Vec<Instance> {
        self.entries.values().map(|entry| entry.info.clone()).collect()
    }

    /// Returns the ids of all instances.
    pub(super) fn ids(&self) -> impl Iterator<Item = &InstanceId> {
        self.entries.keys()
    }

    /// Returns the instances that take new requests, sorted by id.
    pub(super) fn selectable(&self) -> Vec<Arc<Member>> {
        let selectable =
            self.entries.values().filter(|entry| entry.info.is_running() && entry.suspended.is_none());
        selectable.map(|entry| Arc::clone(&entry.member)).collect()
    }

    /// Returns the current run of an instance.
    pub(super) fn member(&self, id: &InstanceId) -> Option<Arc<Member>> {
        self.entries.get(id).map(|entry| Arc::clone(&entry.member))
    }

    /// Returns the instances with calls in flight.
    pub(super) fn busy(&self) -> impl Iterator<Item = &InstanceId> {
        self.entries.values().filter(|entry| entry.member.in_flight() > 0).map(|entry| &entry.info.id)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use uuid::Uuid;

    use super::*;

    fn info(id: &str, run: u128, rev: u64) -> Instance {
        let mut info = Instance::new(InstanceId::new(id).unwrap(), "svc", Uuid::from_u128(run));
        info.rev = rev;
        info
    }

    fn event(event: MemberChange, id: &str, run: u128, rev: u64) -> MemberEvent {
        MemberEvent { event, id: InstanceId::new(id).unwrap(), run: Uuid::from_u128(run), rev }
    }

    fn selectable(roster: &Roster) -> Vec<String> {
        roster.selectable().iter().map(|member| member.id.to_string()).collect()
    }

    /// A roster with the instances `a` and `b` of run 1.
    fn roster() -> (Roster, Instant) {
        let (mut roster, now) = (Roster::default(), Instant::now());
        roster.begin_reading();
        for id in ["a", "b"] {
            assert!(roster.learn(info(id, 1, 1), now).changed);
        }
        assert_eq!(selectable(&roster), ["a", "b"]);
        (roster, now)
    }

    #[tokio::test]
    async fn the_highest_revision_of_a_run_wins() {
        let (mut roster, now) = roster();
        assert!(matches!(roster.hear(event(MemberChange::Draining, "a", 1, 2), now), Heard::Changed));
        assert_eq!(selectable(&roster), ["b"]);
        assert!(!roster.learn(info("a", 1, 1), now).changed, "an info that was read earlier");
        assert!(matches!(roster.hear(event(MemberChange::Draining, "a", 1, 2), now), Heard::Nothing));
        assert_eq!(selectable(&roster), ["b"]);
        assert_eq!(roster.len(), 2);
        assert!(roster.learn(info("a", 1, 3), now).changed);
        assert_eq!(selectable(&roster), ["a", "b"]);
    }

    #[tokio::test]
    async fn a_run_that_left_is_remembered_for_thirty_seconds() {
        let (mut roster, now) = roster();
        assert!(matches!(roster.hear(event(MemberChange::Left, "a", 1, 1), now), Heard::Left(_)));
        assert_eq!(selectable(&roster), ["b"]);
        let later = |seconds| now + Duration::from_secs(seconds);
        assert!(!roster.learn(info("a", 1, 1), later(29)).changed);
        assert!(roster.learn(info("a", 1, 2), later(1)).changed, "it has joined again since");
        assert!(matches!(roster.hear(event(MemberChange::Left, "a", 1, 1), later(2)), Heard::Nothing));
        assert_eq!(selectable(&roster), ["a", "b"]);
        assert!(matches!(roster.hear(event(MemberChange::Left, "a", 1, 2), later(2)), Heard::Left(_)));
        assert!(roster.learn(info("a", 1, 2), later(33)).changed);
    }

    #[tokio::test]
    async fn a_left_of_an_unknown_run_is_remembered_and_removes_no_other() {
        let (mut roster, now) = roster();
        assert!(matches!(roster.hear(event(MemberChange::Left, "a", 7, 1), now), Heard::Nothing));
        assert!(!roster.learn(info("a", 7, 1), now).changed);
        assert_eq!(selectable(&roster), ["a", "b"]);
    }

    #[tokio::test]
    async fn another_run_ends_the_one_before_it() {
        let (mut roster, now) = roster();
        let first = roster.member(&InstanceId::new("a").unwrap()).unwrap();
        assert!(matches!(roster.hear(event(MemberChange::Joined, "a", 2, 1), now), Heard::Unread(_)));
        let learned = roster.learn(info("a", 2, 1), now);
        assert!(learned.changed && Arc::ptr_eq(&learned.ended.unwrap(), &first));
        assert!(!roster.learn(info("a", 1, 7), now).changed, "an info of the earlier run that was read late");
        assert_eq!(roster.len(), 2);
    }

    #[tokio::test]
    async fn an_absent_info_removes_its_instance_unless_it_was_found_alive_since() {
        let (mut roster, now) = roster();
        let id = InstanceId::new("a").unwrap();
        let reading = roster.begin_reading();
        assert!(matches!(roster.hear(event(MemberChange::Joined, "a", 1, 1), now), Heard::Nothing));
        assert!(!roster.learn_absent(&id, reading).changed);
        let reading = roster.begin_reading();
        let learned = roster.learn_absent(&id, reading);
        assert!(learned.changed && learned.ended.is_some());
        assert!(!roster.learn_absent(&id, reading).changed);
    }

    #[tokio::test]
    async fn a_suspended_instance_is_selected_again_after_its_delay_or_when_it_joins() {
        let (mut roster, now) = roster();
        let a = roster.member(&InstanceId::new("a").unwrap()).unwrap();
        let second = Duration::from_secs(1);
        for _ in 0..2 {
            roster.suspend(&a, now + second);
            assert_eq!(selectable(&roster), ["b"]);
            assert_eq!(roster.resume(now), (false, Some(now + second)));
            assert_eq!(roster.len(), 2);
            assert!(matches!(roster.hear(event(MemberChange::Joined, "a", 1, 1), now), Heard::Changed));
            assert_eq!(selectable(&roster), ["a", "b"]);
        }
        roster.suspend(&a, now + second);
        assert_eq!(roster.resume(now + second), (true, None));
        assert_eq!(selectable(&roster), ["a", "b"]);
    }

    #[tokio::test]
    async fn instances_are_bounded() {
        let (mut roster, now) = (Roster::default(), Instant::now());
        for n in 0..2 * LIMIT {
            roster.learn(info(&n.to_string(), 1, 1), now);
        }
        assert_eq!(roster.len(), LIMIT);
    }
}
