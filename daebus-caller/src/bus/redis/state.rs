//! The state that the bus's handle, its tasks and its subscriptions share.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use parking_lot::{Mutex, MutexGuard, RwLock};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::connection::{Connection, TopicKind};
use super::failure::Failure;
use super::subscriptions::{Lifetime, Subscriptions, split};
use crate::bus::interface::BusState;
use crate::bus::message::Deliver;
use crate::bus::subscription::Subscription;
use crate::bus::topic::Topic;
use crate::error::BusError;

/// Keeps one command within the limits of any server.
pub(super) const TOPICS_PER_COMMAND: usize = 1000;

pub(super) struct RedisBusState {
    /// For people: the URL with its password masked.
    pub(super) location: String,
    pub(super) state: watch::Sender<BusState>,
    /// Messages that were overwritten before the reader came to them.
    pub(super) lost: AtomicU64,
    /// Held while something is sent on the subscriber: its answers are told apart by their order only.
    pub(super) gate: tokio::sync::Mutex<()>,
    /// Topics whose last listener has left, which the server has yet to be told.
    leavers: Mutex<Vec<Topic>>,
    somebody_left: Notify,
    connections: RwLock<Connections>,
    subscriptions: Mutex<Subscriptions>,
}

#[derive(Default)]
struct Connections {
    /// There while the bus is ready.
    commands: Option<Arc<Connection>>,
    /// There from before its subscriptions are restored.
    subscriber: Option<Arc<Connection>>,
    last_reconnect: Option<Instant>,
}

impl RedisBusState {
    pub(super) fn new(location: String) -> Arc<Self> {
        Arc::new(Self {
            location,
            state: watch::Sender::new(BusState::Away),
            lost: AtomicU64::new(0),
            gate: tokio::sync::Mutex::new(()),
            leavers: Mutex::default(),
            somebody_left: Notify::new(),
            connections: RwLock::default(),
            subscriptions: Mutex::default(),
        })
    }

    pub(super) fn subscriptions(&self) -> MutexGuard<'_, Subscriptions> {
        self.subscriptions.lock()
    }

    /// The connection for commands, if the bus is ready. A command of a bus that isn't would sit in fred's queue and
    /// be sent some time later; it fails here instead.
    pub(super) fn commands(&self) -> Result<Arc<Connection>, BusError> {
        let connections = self.connections.read();
        connections.commands.clone().ok_or_else(|| self.unavailable())
    }

    pub(super) fn subscriber(&self) -> Option<Arc<Connection>> {
        self.connections.read().subscriber.clone()
    }

    fn unavailable(&self) -> BusError {
        match *self.state.borrow() {
            BusState::Closed => BusError::Closed,
            BusState::Ready | BusState::Away => BusError::Away { location: self.location.clone() },
        }
    }

    /// Tells people where a failure happened. One of a bus that was closed meanwhile is no failure of the server's.
    pub(super) fn error(&self, failure: Failure) -> BusError {
        let location = self.location.clone();
        match failure {
            Failure::Refused(_) => {
                BusError::Refused { location, reason: format!("{failure}{}", failure.advice()) }
            }
            Failure::Full => BusError::Full { location },
            Failure::Unusable(reason) => BusError::Url { url: location, reason },
            Failure::Shifted | Failure::Silent(_) | Failure::Unsure(_) => {
                BusError::Unknown { location, reason: failure.to_string() }
            }
        }
    }

    /// Takes a new connection for subscriptions into use.
    pub(super) fn attach(&self, connection: Arc<Connection>) -> Result<(), Failure> {
        let mut connections = self.connections.write();
        if *self.state.borrow() == BusState::Closed {
            return Err(Failure::Unsure("the bus is closed".into()));
        }
        connections.subscriber = Some(connection);
        Ok(())
    }

    /// Marks the bus as ready: both connections exist, and every subscription is confirmed.
    pub(super) fn ready(&self, commands: Arc<Connection>) {
        self.make_ready(commands, None);
    }

    /// Marks the bus as ready again after an outage.
    pub(super) fn ready_again(&self, commands: Arc<Connection>) {
        self.make_ready(commands, Some(Instant::now()));
    }

    fn make_ready(&self, commands: Arc<Connection>, reconnected: Option<Instant>) {
        let mut connections = self.connections.write();
        if *self.state.borrow() != BusState::Closed {
            connections.commands = Some(commands);
            connections.last_reconnect = reconnected;
            self.state.send_replace(BusState::Ready);
        }
    }

    pub(super) fn last_reconnect(&self) -> Option<Instant> {
        self.connections.read().last_reconnect
    }

    /// A connection is lost.
    pub(super) fn away(&self) {
        let mut connections = self.connections.write();
        if *self.state.borrow() != BusState::Closed {
            connections.commands = None;
            self.state.send_replace(BusState::Away);
        }
    }

    /// Closes both connections and ends every subscription, for good.
    pub(super) fn shut(&self) {
        let gone = {
            let mut connections = self.connections.write();
            self.state.send_replace(BusState::Closed);
            std::mem::take(&mut *connections)
        };
        for connection in gone.commands.iter().chain(&gone.subscriber) {
            connection.close();
        }
        let listeners = self.subscriptions().clear();
        drop(listeners);
    }

    pub(super) async fn subscribe(
        self: &Arc<Self>,
        topic: Topic,
        receiver: Arc<dyn Deliver>,
        lifetime: Lifetime,
    ) -> Result<Subscription, BusError> {
        self.commands()?;
        // In the book before the server is asked: a message may come before its confirmation does. And whatever ends
        // this function early, cancellation included, ends the subscription.
        let id = self.subscriptions().add(&topic, receiver, lifetime);
        let subscription = Subscription::new({
            let shared = Arc::downgrade(self);
            let topic = topic.clone();
            move || {
                if let Some(shared) = shared.upgrade() {
                    shared.release(topic, id);
                }
            }
        })
        .leaving({
            let shared = Arc::downgrade(self);
            let topic = topic.clone();
            move || {
                Box::pin(async move {
                    if let Some(shared) = shared.upgrade() {
                        shared.leave(&topic).await;
                    }
                })
            }
        });
        let _gate = self.gate.lock().await;
        // A subscription of one connection may have ended with it meanwhile.
        if !self.subscriptions().has(&topic, id) {
            return Err(self.unavailable());
        }
        if self.subscriptions().is_confirmed(&topic) {
            return Ok(subscription);
        }
        let subscriber = self.subscriber().ok_or_else(|| self.unavailable())?;
        if matches!(topic, Topic::Pattern(_)) {
            // A pattern that still stands on the server after its listener has left may match the same messages, and
            // its copies aren't counted.
            self.tell_who_left().await;
        }
        match self.subscribe_on(&subscriber, &topic).await {
            Ok(()) => Ok(subscription),
            Err(failure @ Failure::Refused(_)) => Err(self.error(failure)),
            // An unknown outcome is harmless: SUBSCRIBE is idempotent.
            Err(_) => Err(self.unavailable()),
        }
    }

    /// Subscribes and waits until it is confirmed. The gate is held.
    pub(super) async fn subscribe_on(&self, subscriber: &Connection, topic: &Topic) -> Result<(), Failure> {
        let (kind, name) = split(topic);
        subscriber.subscribe(kind, std::slice::from_ref(name)).await?;
        self.subscriptions().confirm(kind, name);
        Ok(())
    }

    /// Subscribes to a topic that the server refused after a reconnect, unless its listeners have left meanwhile.
    pub(super) async fn subscribe_refused(&self, topic: &Topic) -> Result<(), Failure> {
        let _gate = self.gate.lock().await;
        let Some(subscriber) = self.subscriber() else { return Ok(()) };
        if !self.subscriptions().is_refused(topic) {
            return Ok(());
        }
        if matches!(topic, Topic::Pattern(_)) {
            self.tell_who_left().await;
        }
        self.subscribe_on(&subscriber, topic).await
    }

    /// Unsubscribes while the last listener still listens: the barrier behind it comes after all that was sent before.
    async fn leave(&self, topic: &Topic) {
        let _gate = self.gate.lock().await;
        if !self.subscriptions().take_back(topic) {
            return;
        }
        let Some(subscriber) = self.subscriber() else { return };
        let (kind, name) = split(topic);
        if let Err(failure) = subscriber.unsubscribe(kind, std::slice::from_ref(name)).await {
            tracing::debug!(%failure, "not unsubscribed");
        }
    }

    /// Waits for the answer to a PING: all messages that the server sent before it have then been delivered.
    pub(super) async fn sync(&self) -> Result<(), BusError> {
        self.commands()?;
        let _gate = self.gate.lock().await;
        let subscriber = self.subscriber().ok_or_else(|| self.unavailable())?;
        match subscriber.barrier().await {
            // Out of step, the answers are brought into step again by a PING that is answered.
            Ok(()) | Err(Failure::Refused(_) | Failure::Shifted) => Ok(()),
            Err(_) => Err(self.unavailable()),
        }
    }

    fn release(&self, topic: Topic, id: u64) {
        let (last, listeners) = self.subscriptions().remove(&topic, id);
        drop(listeners);
        if last {
            self.leavers.lock().push(topic);
            self.somebody_left.notify_one();
        }
    }

    /// Unsubscribes from what nobody listens to any more, as it happens, without end.
    pub(super) async fn see_off(self: Arc<Self>) {
        loop {
            self.somebody_left.notified().await;
            let _gate = self.gate.lock().await;
            self.tell_who_left().await;
        }
    }

    /// Unsubscribes from what nobody listens to any more. A topic that has found a new listener meanwhile stays. The
    /// gate is held.
    async fn tell_who_left(&self) {
        let leavers = std::mem::take(&mut *self.leavers.lock());
        let (mut channels, mut patterns) = (Vec::new(), Vec::new());
        {
            let mut subscriptions = self.subscriptions();
            for topic in leavers {
                if subscriptions.forget(&topic) {
                    let (kind, name) = split(&topic);
                    let names = if kind == TopicKind::Channel { &mut channels } else { &mut patterns };
                    names.push(Arc::clone(name));
                }
            }
        }
        // Without a connection there is nothing to end.
        let Some(subscriber) = self.subscriber() else { return };
        for (kind, names) in [(TopicKind::Channel, channels), (TopicKind::Pattern, patterns)] {
            for names in names.chunks(TOPICS_PER_COMMAND) {
                if let Err(failure) = subscriber.unsubscribe(kind, names).await {
                    tracing::debug!(%failure, "not unsubscribed");
                }
            }
        }
    }
}

impl std::fmt::Debug for RedisBusState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisBusState")
            .field("location", &self.location)
            .field("state", &*self.state.borrow())
            .finish_non_exhaustive()
    }
}
