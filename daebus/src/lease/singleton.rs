//! Acquires, renews and releases the lease of one singleton.

use std::sync::Arc;
use std::time::Duration;

use daebus_caller::bus::{Acquired, BusState};
use daebus_caller::wire::presence::{LEASE_MARGIN, LEASE_PRECEDENCE, LEASE_RENEWAL, LEASE_TTL, lease_key};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::{debug, info, warn};

use super::extract::Lease;
use super::hold::LeaseHold;
use crate::handler::Core;
use crate::runtime::Workers;

/// The clock of a test may pass months within a second, so leases live longer there by this factor.
const SIMULATED: u32 = 24 * 720;

/// The delay after an attempt that failed although the bus is connected.
const RETRY: Duration = Duration::from_secs(1);

/// A part of the service that only one of its instances runs. The lease is released after the last of these handles is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Singleton {
    state: Arc<SingletonState>,
    _in_use: Arc<DropGuard>,
}

#[derive(Debug)]
struct SingletonState {
    name: String,
    key: String,
    factor: u32,
    held: Mutex<Option<HeldLease>>,
    runs: TaskTracker,
    /// Whether the first attempt to acquire has ended.
    is_decided: watch::Sender<bool>,
}

#[derive(Debug, Clone)]
struct HeldLease {
    lease: Lease,
    value: String,
    valid_until: Instant,
    lost: CancellationToken,
}

impl Singleton {
    /// Starts the task that acquires and renews the lease. Once the service is requested to stop, or the handle is dropped, the
    /// task releases the lease after the last run has ended.
    pub(crate) fn start(core: &Arc<Core>, name: &str, workers: &Workers) -> Self {
        let state = SingletonState {
            name: name.to_owned(),
            key: lease_key(core.service.as_str(), name),
            factor: if core.clock.is_simulated() { SIMULATED } else { 1 },
            held: Mutex::default(),
            runs: TaskTracker::new(),
            is_decided: watch::Sender::new(false),
        };
        let (state, ended) = (Arc::new(state), CancellationToken::new());
        workers.spawn(keep(Arc::clone(&state), Arc::clone(core), ended.clone()));
        Self { state, _in_use: Arc::new(ended.drop_guard()) }
    }

    /// Returns a token that counts as a run: the lease isn't released before the token is dropped.
    pub(crate) fn retain(&self) -> TaskTrackerToken {
        self.state.runs.token()
    }

    /// Returns a permission for one run if this instance holds the lease.
    pub(crate) fn hold(&self) -> Option<LeaseHold> {
        let held = self.state.held.lock();
        let held = held.as_ref().filter(|held| Instant::now() < held.valid_until)?;
        Some(LeaseHold { lease: held.lease, lost: held.lost.clone(), _run: self.state.runs.token() })
    }

    /// Waits until the first attempt to acquire the lease has ended.
    pub(crate) async fn decided(&self) {
        // `self` owns the sender, so waiting can't fail.
        let _ = self.state.is_decided.subscribe().wait_for(|decided| *decided).await;
    }
}

/// Acquires and renews the lease. `ended` is cancelled when no handle is left.
async fn keep(state: Arc<SingletonState>, core: Arc<Core>, ended: CancellationToken) {
    let mut states = core.bus.state();
    let mut was_holder = false;
    let mut next = Instant::now();
    let mut is_stopping = false;
    let held = loop {
        let valid_until = state.held.lock().as_ref().map(|held| held.valid_until);
        tokio::select! {
            biased;
            () = state.runs.wait(), if is_stopping => match state.take_unless_running() {
                Ok(held) => break held,
                Err(()) => continue,
            },
            () = stop(&core, &ended), if !is_stopping => {
                is_stopping = true;
                state.runs.close();
                continue;
            }
            changed = states.changed() => {
                if changed.is_err() || *states.borrow_and_update() == BusState::Closed {
                    break state.held.lock().take();
                }
            }
            () = sleep_until(next) => {}
            () = expiry(valid_until) => {
                state.lose("it could not be renewed in time");
                continue;
            }
        }
        if *states.borrow() != BusState::Ready {
            next = Instant::now() + state.factored(LEASE_RENEWAL);
            continue;
        }
        let held = state.held.lock().clone();
        let done = match held {
            Some(held) => state.renew(&core, &held).await,
            None if is_stopping => break None,
            None => Ok(false),
        };
        let done = match done {
            Ok(false) if !is_stopping => {
                was_holder |= valid_until.is_some();
                state.acquire(&core, was_holder).await
            }
            done => done,
        };
        next = match done {
            Ok(is_held) => {
                was_holder = is_held;
                Instant::now() + state.factored(LEASE_RENEWAL)
            }
            Err(()) => Instant::now() + RETRY,
        };
        state.is_decided.send_replace(true);
    };
    if let Some(held) = held {
        state.release(&core, &held).await;
    }
}

async fn stop(core: &Core, ended: &CancellationToken) {
    ended.run_until_cancelled(core.shutdown.requested()).await;
}

async fn expiry(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

impl SingletonState {
    fn factored(&self, duration: Duration) -> Duration {
        duration * self.factor
    }

    /// Returns until when a command that is sent now keeps the lease valid.
    fn valid_until(&self) -> Instant {
        Instant::now() + self.factored(LEASE_TTL) - LEASE_MARGIN
    }

    /// Returns whether the lease is held; an error means that this is unknown.
    async fn renew(&self, core: &Core, held: &HeldLease) -> Result<bool, ()> {
        let valid_until = self.valid_until();
        let renewing = core.bus.renew(&self.key, &held.value, self.factored(LEASE_TTL));
        let Ok(renewed) = timeout_at(held.valid_until, renewing).await else {
            self.lose("it could not be renewed in time");
            return Err(());
        };
        match renewed {
            Ok(true) => {
                if let Some(held) = &mut *self.held.lock() {
                    held.valid_until = valid_until;
                }
                Ok(true)
            }
            Ok(false) => {
                self.lose("its key has expired or was lost");
                Ok(false)
            }
            Err(error) => {
                debug!(name = self.name, %error, "lease not renewed");
                Err(())
            }
        }
    }

    async fn acquire(&self, core: &Core, was_holder: bool) -> Result<bool, ()> {
        // The former holder may still be running: it has precedence after an outage.
        let since = core.bus.last_reconnect().filter(|_| !was_holder);
        if since.is_some_and(|since| since.elapsed() < LEASE_PRECEDENCE) {
            return Err(());
        }
        let ttl = self.factored(LEASE_TTL);
        let mut valid_until = self.valid_until();
        let presence = core.identity.presence();
        let own = format!("{}:", presence.holder());
        let (token, value) = match core.bus.acquire(&self.key, presence.holder(), ttl).await {
            Ok(Acquired::Won { token, value }) => (token, value),
            // An earlier attempt of unknown outcome has succeeded.
            Ok(Acquired::Held { by }) => match by.strip_prefix(&own).and_then(|token| token.parse().ok()) {
                Some(token) => {
                    valid_until = self.valid_until();
                    let renewed = core.bus.renew(&self.key, &by, ttl).await;
                    if !matches!(renewed, Ok(true)) {
                        return Err(());
                    }
                    (token, by)
                }
                None => return Ok(false),
            },
            Err(error) => {
                debug!(name = self.name, %error, "lease not acquired");
                return Err(());
            }
        };
        info!(name = self.name, token, "lease acquired, this instance runs the singleton");
        let lost = CancellationToken::new();
        *self.held.lock() = Some(HeldLease { lease: Lease::new(token), value, valid_until, lost });
        Ok(true)
    }

    fn lose(&self, reason: &str) {
        let held = self.held.lock().take();
        if let Some(held) = held {
            warn!(name = self.name, reason, "lease lost, runs of the singleton are cancelled");
            held.lost.cancel();
        }
    }

    /// Takes the lease back from this instance, so that no run begins any more. Fails if one has begun in the meantime.
    fn take_unless_running(&self) -> Result<Option<HeldLease>, ()> {
        let mut held = self.held.lock();
        if self.runs.is_empty() { Ok(held.take()) } else { Err(()) }
    }

    async fn release(&self, core: &Core, held: &HeldLease) {
        if let Err(error) = core.bus.release(&self.key, &held.value).await {
            debug!(name = self.name, %error, "lease not released");
        }
    }
}
