//! The task that keeps a directory up to date.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::state::{DirectoryState, MemberEvents};
use crate::backoff::Backoff;
use crate::bus::{BusState, Subscription, Topic};
use crate::error::BusError;
use crate::wire::presence::{CALL_CHECK, RECONNECT_GRACE, members_channel};

/// The delays after a failed reading or subscription.
const FIRST_DELAY: Duration = Duration::from_millis(50);
const MAX_DELAY: Duration = Duration::from_secs(10);

/// Keeps a directory up to date until the bus is closed.
pub(super) async fn keep(state: Arc<DirectoryState>) {
    Keeper { bus_state: state.bus.state(), backoff: Backoff::new(FIRST_DELAY, MAX_DELAY), state }.run().await;
}

struct Keeper {
    state: Arc<DirectoryState>,
    bus_state: watch::Receiver<BusState>,
    backoff: Backoff,
}

impl Keeper {
    async fn run(mut self) {
        let Ok(_subscription) = self.subscribe().await else { return };
        let mut read_all_at = Some(Instant::now());
        let (mut check_at, mut grace_ends) = (None, None::<Instant>);
        loop {
            let now = Instant::now();
            let on_time = self.state.on_time(now);
            if grace_ends.is_some_and(|at| at <= now) {
                grace_ends = None;
                read_all_at = Some(now);
            }
            if read_all_at.is_some_and(|at| at <= now) {
                read_all_at = match self.state.read_all().await {
                    Ok(_) => {
                        self.backoff.reset();
                        self.state.was_read.send_replace(true);
                        None
                    }
                    Err(error) => match self.failed(&error) {
                        Some(retry) => Some(retry),
                        None => return,
                    },
                };
                continue;
            }
            if check_at.is_some_and(|at| at <= now) {
                check_at = None;
                self.state.begin_check();
            }
            if check_at.is_none() && self.state.needs_checks() {
                check_at = Some(now + CALL_CHECK);
            }
            let unread = self.state.take_unread();
            if !unread.is_empty() {
                if let Err(error) = self.state.read(unread).await {
                    let Some(retry) = self.failed(&error) else { return };
                    // Everything is read then, these infos included.
                    read_all_at = Some(read_all_at.map_or(retry, |at: Instant| at.min(retry)));
                }
                continue;
            }
            let next = [on_time, read_all_at, check_at, grace_ends].into_iter().flatten().min();
            tokio::select! {
                () = self.state.wake.notified() => {}
                changed = self.bus_state.changed() => {
                    let now = *self.bus_state.borrow_and_update();
                    match now {
                        _ if changed.is_err() => return,
                        BusState::Closed => return,
                        BusState::Away => {}
                        BusState::Ready => {
                            // Instances may not have reconnected yet, or the server may have lost their keys.
                            let now = Instant::now();
                            self.state.set_grace(now + RECONNECT_GRACE);
                            grace_ends = Some(now + RECONNECT_GRACE);
                            read_all_at = Some(now);
                        }
                    }
                }
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
            }
        }
    }

    /// Subscribes to membership events; fails if the bus is closed.
    async fn subscribe(&mut self) -> Result<Subscription, BusError> {
        loop {
            if self.bus_state.wait_for(|state| *state != BusState::Away).await.is_err() {
                return Err(BusError::Closed);
            }
            let channel = members_channel(self.state.service.as_str());
            let events = Arc::new(MemberEvents(Arc::downgrade(&self.state)));
            match self.state.bus.subscribe(Topic::Channel(channel.into()), events).await {
                Ok(subscription) => {
                    self.bus_state.borrow_and_update();
                    self.backoff.reset();
                    return Ok(subscription);
                }
                Err(error) => match self.failed(&error) {
                    Some(retry) => sleep_until(retry).await,
                    None => return Err(error),
                },
            }
        }
    }

    /// Returns when to retry, unless the bus is closed.
    fn failed(&mut self, error: &BusError) -> Option<Instant> {
        tracing::debug!(service = %self.state.service, "the instances can't be read: {error}");
        match error {
            BusError::Closed => return None,
            // The server refused the command; calls needn't wait for a reading that won't succeed.
            BusError::Refused { .. } => drop(self.state.was_read.send_replace(true)),
            _ => {}
        }
        Some(Instant::now() + self.backoff.next_delay())
    }
}
