//! The instances of the services that are called: which there are, and which one is selected.
//!
//! A directory starts with the first call to its service. It subscribes to the service's membership events, reads the infos
//! of the instances, and reads them again after a reconnect.

mod keeper;
pub(super) mod member;
mod roster;
mod state;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use self::member::Member;
use self::state::DirectoryState;
use super::balance::Balance;
use super::deadline::Deadline;
use super::pending::Pending;
use crate::bus::Bus;
use crate::error::BusError;
use crate::wire::selection::key_weight;
use crate::wire::{Instance, InstanceId, ServiceName};

/// How many services' directories are kept although no caller of theirs is left.
const KEPT: usize = 256;

/// How long after the start of a directory calls wait until the instances are read. After that they are published to the
/// service's own channel.
const FIRST_READING: Duration = Duration::from_millis(250);

/// The directories of a link, by service.
#[derive(Debug, Default)]
pub(super) struct Directories(Mutex<HashMap<ServiceName, Arc<Directory>>>);

impl Directories {
    /// Returns the directory of a service.
    pub(super) fn of(
        &self,
        service: &ServiceName,
        bus: &Arc<dyn Bus>,
        pending: &Arc<Pending>,
    ) -> Arc<Directory> {
        let mut directories = self.0.lock();
        if let Some(directory) = directories.get(service) {
            return Arc::clone(directory);
        }
        if directories.len() >= KEPT {
            directories.retain(|_, directory| Arc::strong_count(directory) > 1);
        }
        let state = DirectoryState::new(service.clone(), Arc::clone(bus), Arc::clone(pending));
        let directory = Arc::new(Directory::new(state));
        directories.insert(service.clone(), Arc::clone(&directory));
        directory
    }
}

/// The instances of one service. Its task ends when it is dropped.
#[derive(Debug)]
pub(super) struct Directory {
    state: Arc<DirectoryState>,
    keeper: Mutex<Option<AbortHandle>>,
    is_kept: Arc<AtomicBool>,
    started: OnceLock<Instant>,
}

impl Directory {
    fn new(state: DirectoryState) -> Self {
        Self {
            state: Arc::new(state),
            keeper: Mutex::default(),
            is_kept: Arc::default(),
            started: OnceLock::new(),
        }
    }

    /// Starts the directory unless it runs. Does nothing outside of a runtime.
    pub(super) fn start(&self) {
        if self.is_kept.load(Ordering::Acquire) {
            return;
        }
        let Ok(runtime) = Handle::try_current() else { return };
        let mut keeper = self.keeper.lock();
        if self.is_kept.swap(true, Ordering::AcqRel) {
            return;
        }
        self.started.get_or_init(Instant::now);
        let kept = Kept { is_kept: Arc::clone(&self.is_kept), was_read: self.state.was_read.clone() };
        let state = Arc::clone(&self.state);
        let task = runtime.spawn(async move {
            let _kept = kept;
            keeper::keep(state).await;
        });
        *keeper = Some(task.abort_handle());
    }

    /// Returns whether the instances have been read.
    pub(super) fn was_read(&self) -> bool {
        *self.state.was_read.borrow()
    }

    /// Waits until the instances have been read, for a limited time after the start.
    pub(super) async fn first_reading(&self, deadline: Deadline) {
        if let Some(started) = self.started.get() {
            self.reading(deadline.min(Deadline::at(*started + FIRST_READING))).await;
        }
    }

    /// Waits until the instances have been read, no longer than until the deadline.
    pub(super) async fn reading(&self, deadline: Deadline) {
        let mut was_read = self.state.was_read.subscribe();
        let _ = tokio::time::timeout_at(deadline.instant(), was_read.wait_for(|was_read| *was_read)).await;
    }

    /// Returns a receiver of the list of instances, and starts the directory.
    pub(super) fn members(&self) -> watch::Receiver<Vec<Instance>> {
        self.start();
        let members = self.state.members.subscribe();
        // A list that is watched is checked.
        self.state.wake.notify_one();
        members
    }

    /// Selects an instance that takes new requests and is not among those tried.
    pub(super) fn select(&self, balance: Balance, tried: &[Arc<Member>]) -> Option<Arc<Member>> {
        let members = self.state.selectable();
        // A call that was tried nowhere, to a service with one instance, needs no more than this.
        if let ([member], []) = (members.as_slice(), tried) {
            return Some(Arc::clone(member));
        }
        if members.is_empty() {
            return None;
        }
        let start = match balance {
            Balance::Random => fastrand::usize(..members.len()),
            _ => self.state.next_turn() % members.len(),
        };
        let (before, after) = members.split_at(start);
        let mut in_turn = after.iter().chain(before).filter(|member| is_new(member, tried));
        match balance {
            Balance::LeastInFlight => in_turn.min_by_key(|member| member.in_flight()),
            _ => in_turn.next(),
        }
        .cloned()
    }

    /// Selects by key: the same instance for the same key as long as the instances stay the same.
    pub(super) fn select_by_key(&self, key: &str, tried: &[Arc<Member>]) -> Option<Arc<Member>> {
        let members = self.state.selectable();
        let new = members.iter().filter(|member| is_new(member, tried));
        new.max_by_key(|member| key_weight(&member.id, key)).cloned()
    }

    /// Returns the instances that take new requests, also those whose channel had no receiver a moment ago.
    pub(super) fn running(&self) -> Vec<InstanceId> {
        let members = self.state.members.borrow();
        members.iter().filter(|member| member.is_running()).map(|member| member.id.clone()).collect()
    }

    /// Returns the instance of that id, reading its info if it is unknown.
    pub(super) async fn find(&self, id: &InstanceId) -> Result<Option<Arc<Member>>, BusError> {
        if let Some(member) = self.state.member(id) {
            return Ok(Some(member));
        }
        self.state.look_up(id).await?;
        Ok(self.state.member(id))
    }

    /// Reads the instance's info now; if there is none, or it has another run, its calls in flight fail.
    pub(super) async fn check(&self, member: &Member) {
        let _ = self.state.look_up(&member.id).await;
    }

    /// Excludes an instance from the selection for a second, because its channel had no receiver.
    pub(super) fn suspend(&self, member: &Arc<Member>) {
        self.state.suspend(member);
    }

    /// Has the instances with calls in flight checked every 5 s.
    pub(super) fn check_calls(&self) {
        self.state.check_calls();
    }

    /// Returns whether an instance's info exists. Reads them, unless none is known.
    pub(super) async fn has_instances(&self) -> bool {
        if self.state.is_empty() {
            return false;
        }
        self.state.recount().await.is_ok_and(|infos| infos > 0)
    }
}

fn is_new(member: &Arc<Member>, tried: &[Arc<Member>]) -> bool {
    !tried.iter().any(|tried| Arc::ptr_eq(tried, member))
}

impl Drop for Directory {
    fn drop(&mut self) {
        if let Some(keeper) = self.keeper.get_mut() {
            keeper.abort();
        }
    }
}

/// Records the end of the keeper: with the bus, or with its runtime, after which another one may start.
struct Kept {
    is_kept: Arc<AtomicBool>,
    was_read: watch::Sender<bool>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        // Calls must not wait for a reading that won't happen.
        self.was_read.send_replace(true);
        self.is_kept.store(false, Ordering::Release);
    }
}
