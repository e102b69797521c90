//! What is known of a service's instances, and how it is read from the bus.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::super::pending::Pending;
use super::super::queries::SharedQueries;
use super::member::Member;
use super::roster::{Heard, LIMIT, Learned, Roster};
use crate::bus::{Bus, Deliver, Message};
use crate::error::BusError;
use crate::wire::presence::{CHANNEL_CHECK, LEFT_GRACE, MemberEvent, info_key, instances_key};
use crate::wire::{Instance, InstanceId, ServiceName};

/// How many infos are read with one command.
const INFOS_PER_COMMAND: usize = 128;
/// The largest info that is accepted, in bytes.
const LARGEST_INFO: usize = 256 * 1024;

/// What is known of a service's instances.
pub(super) struct DirectoryState {
    pub(super) service: ServiceName,
    pub(super) bus: Arc<dyn Bus>,
    pending: Arc<Pending>,
    ledger: Mutex<Ledger>,
    /// The instances that can be selected, which calls read without a look at anything else.
    selectable: RwLock<Vec<Arc<Member>>>,
    pub(super) members: watch::Sender<Vec<Instance>>,
    /// Whether the infos have been read, or can't be.
    pub(super) was_read: watch::Sender<bool>,
    /// Wakes the keeper.
    pub(super) wake: Notify,
    /// Whether the keeper checks the instances with calls in flight.
    is_checking: AtomicBool,
    turn: AtomicUsize,
    /// Readings that calls wait for, shared by them.
    readings: SharedQueries,
}

#[derive(Default)]
struct Ledger {
    roster: Roster,
    /// Instances whose infos have to be read.
    unread: BTreeSet<InstanceId>,
    /// Instances that have left, and when their calls in flight fail.
    leaving: Vec<(Instant, Arc<Member>)>,
    /// Until then no instance is removed because its info is absent.
    grace_until: Option<Instant>,
}

impl DirectoryState {
    pub(super) fn new(service: ServiceName, bus: Arc<dyn Bus>, pending: Arc<Pending>) -> Self {
        Self {
            service,
            bus,
            pending,
            ledger: Mutex::default(),
            selectable: RwLock::default(),
            members: watch::Sender::new(Vec::new()),
            was_read: watch::Sender::new(false),
            wake: Notify::new(),
            is_checking: AtomicBool::new(false),
            turn: AtomicUsize::new(fastrand::usize(..LIMIT)),
            readings: SharedQueries::new(Duration::ZERO),
        }
    }

    /// Returns the instances that can be selected. The lock is to be held for the selection only.
    pub(super) fn selectable(&self) -> RwLockReadGuard<'_, Vec<Arc<Member>>> {
        self.selectable.read()
    }

    /// Returns a number that is larger by 1 each time.
    pub(super) fn next_turn(&self) -> usize {
        self.turn.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ledger.lock().roster.len() == 0
    }

    pub(super) fn member(&self, id: &InstanceId) -> Option<Arc<Member>> {
        self.ledger.lock().roster.member(id)
    }

    /// Makes the keeper check the instances with calls in flight.
    pub(super) fn check_calls(&self) {
        if !self.is_checking.load(Ordering::SeqCst) && !self.is_checking.swap(true, Ordering::SeqCst) {
            self.wake.notify_one();
        }
    }

    /// Excludes an instance from the selection because its channel had no receiver, and makes the keeper read its info.
    pub(super) fn suspend(&self, member: &Arc<Member>) {
        let mut ledger = self.ledger.lock();
        ledger.roster.suspend(member, Instant::now() + CHANNEL_CHECK);
        ledger.unread.insert(member.id.clone());
        self.publish(&ledger.roster);
        drop(ledger);
        self.wake.notify_one();
    }

    /// Keeps instances whose infos are absent until the given time.
    pub(super) fn set_grace(&self, until: Instant) {
        self.ledger.lock().grace_until = Some(until);
    }

    /// Fails the calls of instances that left, and ends suspensions; returns when there is more of either.
    pub(super) fn on_time(&self, now: Instant) -> Option<Instant> {
        let mut ledger = self.ledger.lock();
        let (changed, resumes) = ledger.roster.resume(now);
        if changed {
            self.publish(&ledger.roster);
        }
        let due: Vec<_> = ledger.leaving.extract_if(.., |(at, _)| *at <= now).collect();
        let fails = ledger.leaving.iter().map(|(at, _)| *at).min();
        drop(ledger);
        for (_, member) in due {
            self.lose(&member);
        }
        [resumes, fails].into_iter().flatten().min()
    }

    /// Returns the instances whose infos have to be read, and forgets them.
    pub(super) fn take_unread(&self) -> Vec<InstanceId> {
        std::mem::take(&mut self.ledger.lock().unread).into_iter().collect()
    }

    /// Returns whether the instances with calls in flight, or all because the list is watched, have to be checked.
    pub(super) fn needs_checks(&self) -> bool {
        self.is_checking.load(Ordering::SeqCst) || self.is_watched()
    }

    /// Adds those instances to the ones whose infos have to be read.
    pub(super) fn begin_check(&self) {
        self.is_checking.store(false, Ordering::SeqCst);
        let mut ledger = self.ledger.lock();
        let busy: Vec<InstanceId> = ledger.roster.busy().cloned().collect();
        if !busy.is_empty() {
            self.is_checking.store(true, Ordering::SeqCst);
        }
        let ids = if self.is_watched() { ledger.roster.ids().cloned().collect() } else { busy };
        ledger.unread.extend(ids);
    }

    fn is_watched(&self) -> bool {
        self.members.receiver_count() > 0
    }

    /// Applies a membership event.
    fn hear(&self, event: MemberEvent) {
        let now = Instant::now();
        let mut ledger = self.ledger.lock();
        match ledger.roster.hear(event, now) {
            Heard::Nothing => return,
            Heard::Unread(id) => {
                // Beyond the limit the roster has no room either.
                if ledger.unread.len() < LIMIT {
                    ledger.unread.insert(id);
                }
            }
            Heard::Changed => self.publish(&ledger.roster),
            Heard::Left(member) => {
                member.end();
                ledger.leaving.push((now + LEFT_GRACE, member));
                self.publish(&ledger.roster);
            }
        }
        drop(ledger);
        self.wake.notify_one();
    }

    /// Reads the service's set of instances and the infos of all instances; returns how many infos there are.
    pub(super) async fn read_all(&self) -> Result<u64, BusError> {
        let listed = self.bus.set_members(&instances_key(self.service.as_str())).await?;
        let mut ids: BTreeSet<InstanceId> = self.ledger.lock().roster.ids().cloned().collect();
        ids.extend(listed.iter().take(LIMIT).filter_map(|id| InstanceId::new(id).ok()));
        self.read(ids.into_iter().collect()).await
    }

    /// Reads the infos of the given instances; returns how many there are.
    pub(super) async fn read(&self, ids: Vec<InstanceId>) -> Result<u64, BusError> {
        let mut found = 0;
        for ids in ids.chunks(INFOS_PER_COMMAND) {
            let reading = self.ledger.lock().roster.begin_reading();
            let keys: Vec<String> = ids.iter().map(info_key).collect();
            let values = self.bus.get_many(&keys).await?;
            for (id, value) in ids.iter().zip(values) {
                let info = value.and_then(|value| self.decode(id, &value));
                found += u64::from(info.is_some());
                self.learn(id, info, reading);
            }
        }
        Ok(found)
    }

    fn decode(&self, id: &InstanceId, value: &Bytes) -> Option<Instance> {
        if value.len() > LARGEST_INFO {
            tracing::debug!(service = %self.service, instance = %id, bytes = value.len(), "info too large, ignored");
            return None;
        }
        match Instance::read(value) {
            Ok(info) if info.id == *id && info.service == self.service.as_str() => Some(info),
            Ok(_) => None,
            Err(error) => {
                tracing::debug!(service = %self.service, instance = %id, "unreadable info ignored: {error}");
                None
            }
        }
    }

    fn learn(&self, id: &InstanceId, info: Option<Instance>, reading: u64) {
        let now = Instant::now();
        let mut ledger = self.ledger.lock();
        let Learned { changed, ended } = match info {
            Some(info) => ledger.roster.learn(info, now),
            None if ledger.grace_until.is_some_and(|until| now < until) => return,
            None => ledger.roster.learn_absent(id, reading),
        };
        if let Some(member) = &ended {
            member.end();
        }
        if changed {
            self.publish(&ledger.roster);
        }
        drop(ledger);
        if let Some(member) = ended {
            self.lose(&member);
        }
    }

    /// Fails the calls in flight of a run that has ended.
    fn lose(&self, member: &Arc<Member>) {
        let lost = self.pending.lose(member);
        tracing::debug!(service = %self.service, instance = %member.id, calls = lost, "instance lost");
    }

    fn publish(&self, roster: &Roster) {
        *self.selectable.write() = roster.selectable();
        self.members.send_if_modified(|members| {
            let now = roster.instances();
            let changed = *members != now;
            *members = now;
            changed
        });
    }
}

/// Readings that calls wait for.
impl DirectoryState {
    /// Reads everything now; returns how many infos there are.
    pub(super) async fn recount(self: &Arc<Self>) -> Result<u64, BusError> {
        let counted = self.readings.ask(self.service.as_str(), Instant::now(), |_| {
            let state = Arc::downgrade(self);
            async move {
                match Weak::upgrade(&state) {
                    Some(state) => state.read_all().await,
                    None => Err(BusError::Closed),
                }
            }
        });
        counted.await.map(|count| count.value)
    }

    /// Reads the info of one instance now; returns whether there is one.
    pub(super) async fn look_up(self: &Arc<Self>, id: &InstanceId) -> Result<bool, BusError> {
        let key = info_key(id);
        let counted = self.readings.ask(&key, Instant::now(), |_| {
            let (state, id) = (Arc::downgrade(self), id.clone());
            async move {
                match Weak::upgrade(&state) {
                    Some(state) => state.read(vec![id]).await,
                    None => Err(BusError::Closed),
                }
            }
        });
        counted.await.map(|count| count.value > 0)
    }
}

impl fmt::Debug for DirectoryState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory").field("service", &self.service).finish_non_exhaustive()
    }
}

/// Receives membership events in the bus's reader.
pub(super) struct MemberEvents(pub(super) Weak<DirectoryState>);

impl Deliver for MemberEvents {
    fn deliver(&self, message: Message) {
        let Some(state) = self.0.upgrade() else { return };
        match MemberEvent::read(&message.payload) {
            Ok(event) => state.hear(event),
            Err(error) => {
                tracing::debug!(channel = %message.channel, "unreadable membership event ignored: {error}");
            }
        }
    }
}
