//! A bus whose state, pace and receivers the tests decide.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::bus::coordination::{Acquired, Claimed, KeyExpiry, Standing};
use crate::bus::interface::{Bus, BusState, SetOptions};
use crate::bus::message::Deliver;
use crate::bus::subscription::Subscription;
use crate::bus::topic::Topic;
use crate::error::BusError;
use crate::wire::presence::Presence;

/// A bus whose state, pace and receivers the tests decide.
#[derive(Debug)]
pub(super) struct Puppet {
    pub(super) state: watch::Sender<BusState>,
    /// The next query of the state finds the bus ready, although it was away until then.
    pub(super) turns_ready: AtomicBool,
    /// Publishes wait for this.
    pub(super) go: Option<Notify>,
    waiting: AtomicUsize,
    /// What was published, and how often `subscribers` was asked.
    pub(super) published: Mutex<Vec<(String, Bytes)>>,
    pub(super) asked: Mutex<u64>,
    /// The receivers of a message; 1 unless set.
    pub(super) receivers: Mutex<HashMap<String, Result<u64, BusError>>>,
    /// The subscribers, patterns not counted; 0 unless set.
    pub(super) subscribers: Mutex<HashMap<String, u64>>,
    pub(super) reconnected: Mutex<Option<Instant>>,
}

impl Puppet {
    pub(super) fn new(state: BusState) -> Arc<Self> {
        Self::with(state, None)
    }

    /// A bus on which no publish ends.
    pub(super) fn stuck() -> Arc<Self> {
        Self::with(BusState::Ready, Some(Notify::new()))
    }

    fn with(state: BusState, go: Option<Notify>) -> Arc<Self> {
        Arc::new(Self {
            state: watch::Sender::new(state),
            turns_ready: AtomicBool::new(false),
            go,
            waiting: AtomicUsize::new(0),
            published: Mutex::default(),
            asked: Mutex::default(),
            receivers: Mutex::default(),
            subscribers: Mutex::default(),
            reconnected: Mutex::default(),
        })
    }

    pub(super) fn has_receivers(&self, channel: &str, receivers: Result<u64, BusError>) {
        self.receivers.lock().insert(channel.to_owned(), receivers);
    }

    /// Returns how many publishes wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// What was published to a channel, in order.
    pub(super) fn on(&self, channel: &str) -> Vec<String> {
        let published = self.published.lock();
        let on = published.iter().filter(|(other, _)| other == channel);
        on.map(|(_, message)| String::from_utf8_lossy(message).into_owned()).collect()
    }
}

/// A publish that waits, until it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn start(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Bus for Puppet {
    fn publish<'a>(&'a self, channel: &'a str, message: Bytes) -> BoxFuture<'a, Result<u64, BusError>> {
        Box::pin(async move {
            if *self.state.borrow() == BusState::Away {
                return Err(BusError::Away { location: self.location() });
            }
            if let Some(go) = &self.go {
                let _waiting = Waiting::start(&self.waiting);
                go.notified().await;
            }
            self.published.lock().push((channel.to_owned(), message));
            self.receivers.lock().get(channel).cloned().unwrap_or(Ok(1))
        })
    }
    fn subscribe(&self, _: Topic, _: Arc<dyn Deliver>) -> BoxFuture<'_, Result<Subscription, BusError>> {
        unimplemented!()
    }
    fn subscribe_once(&self, _: Topic, _: Arc<dyn Deliver>) -> BoxFuture<'_, Result<Subscription, BusError>> {
        unimplemented!()
    }
    fn subscribers<'a>(&'a self, channel: &'a str) -> BoxFuture<'a, Result<u64, BusError>> {
        *self.asked.lock() += 1;
        let count = self.subscribers.lock().get(channel).copied().unwrap_or_default();
        Box::pin(async move { Ok(count) })
    }
    fn get<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, BusError>> {
        unimplemented!()
    }
    fn set<'a>(&'a self, _: &'a str, _: Bytes, _: SetOptions) -> BoxFuture<'a, Result<bool, BusError>> {
        unimplemented!()
    }
    fn delete<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<bool, BusError>> {
        unimplemented!()
    }
    fn increment<'a>(&'a self, _: &'a str, _: i64) -> BoxFuture<'a, Result<i64, BusError>> {
        unimplemented!()
    }
    fn expire<'a>(&'a self, _: &'a str, _: Duration) -> BoxFuture<'a, Result<bool, BusError>> {
        unimplemented!()
    }
    fn set_add<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<bool, BusError>> {
        unimplemented!()
    }
    fn set_remove<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<bool, BusError>> {
        unimplemented!()
    }
    fn set_members<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<String>, BusError>> {
        unimplemented!()
    }
    fn get_many<'a>(&'a self, _: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, BusError>> {
        unimplemented!()
    }
    fn time_to_live<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<KeyExpiry, BusError>> {
        unimplemented!()
    }
    fn refresh<'a>(
        &'a self,
        _: &'a Presence,
        _: Duration,
        _: Duration,
    ) -> BoxFuture<'a, Result<Standing, BusError>> {
        unimplemented!()
    }
    fn amend<'a>(
        &'a self,
        _: &'a Presence,
        _: Bytes,
        _: Duration,
    ) -> BoxFuture<'a, Result<Standing, BusError>> {
        unimplemented!()
    }
    fn withdraw<'a>(&'a self, _: &'a Presence) -> BoxFuture<'a, Result<Standing, BusError>> {
        unimplemented!()
    }
    fn claim<'a>(
        &'a self,
        _: &'a Presence,
        _: &'a str,
        _: Duration,
    ) -> BoxFuture<'a, Result<Claimed, BusError>> {
        unimplemented!()
    }
    fn acquire<'a>(
        &'a self,
        _: &'a str,
        _: &'a str,
        _: Duration,
    ) -> BoxFuture<'a, Result<Acquired, BusError>> {
        unimplemented!()
    }
    fn renew<'a>(&'a self, _: &'a str, _: &'a str, _: Duration) -> BoxFuture<'a, Result<bool, BusError>> {
        unimplemented!()
    }
    fn release<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<bool, BusError>> {
        unimplemented!()
    }
    fn sync(&self) -> BoxFuture<'_, Result<(), BusError>> {
        unimplemented!()
    }
    fn state(&self) -> watch::Receiver<BusState> {
        if self.turns_ready.swap(false, Ordering::Relaxed) {
            self.state.send_replace(BusState::Ready);
        }
        self.state.subscribe()
    }
    fn last_reconnect(&self) -> Option<Instant> {
        *self.reconnected.lock()
    }
    fn location(&self) -> String {
        "puppet".into()
    }
    fn close(&self) -> BoxFuture<'_, ()> {
        unimplemented!()
    }
}
