//! Who in this process listens to what: our own book of subscriptions.
//!
//! fred keeps one too, but its `resubscribe_all` sends SUBSCRIBE without channels for an empty set, and from the
//! stray error on every reply goes to the wrong command.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use super::connection::TopicKind;
use crate::bus::glob;
use crate::bus::message::Deliver;
use crate::bus::topic::Topic;

/// Those who listen to one topic, copied when it changes so that the reader holds no lock while it delivers.
pub(super) type Listeners = Arc<Vec<(u64, Arc<dyn Deliver>)>>;

#[derive(Default)]
pub(super) struct Subscriptions {
    channels: HashMap<Arc<str>, Subscribed>,
    patterns: HashMap<Arc<str>, Subscribed>,
    next_id: u64,
}

#[derive(Default)]
struct Subscribed {
    listeners: Listeners,
    /// The server has confirmed it.
    confirmed: bool,
    /// The server has had this pattern for every message that is yet to come: the copies it sends can be counted on.
    settled: bool,
    /// The server refused it after a reconnect.
    refused: bool,
    /// The listeners that end with the connection.
    ending: Vec<u64>,
}

impl Subscribed {
    fn is_refused(&self) -> bool {
        self.refused && !self.listeners.is_empty()
    }
}

/// How long a subscription lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lifetime {
    /// As long as the bus, which restores it after a reconnect.
    Bus,
    /// Until the connection is lost.
    Connection,
}

/// Who gets a message that came by a pattern, and how many copies of it come.
pub(super) struct Matched {
    pub(super) listeners: Vec<Listeners>,
    /// How many copies come for sure.
    pub(super) copies: usize,
}

impl Subscriptions {
    /// Adds a listener; the number is for [`Self::remove`].
    pub(super) fn add(&mut self, topic: &Topic, receiver: Arc<dyn Deliver>, lifetime: Lifetime) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let (kind, name) = split(topic);
        let subscribed = self.of(kind).entry(Arc::clone(name)).or_default();
        Arc::make_mut(&mut subscribed.listeners).push((id, receiver));
        if lifetime == Lifetime::Connection {
            subscribed.ending.push(id);
        }
        id
    }

    /// Removes a listener; returns whether it was the topic's last. What is left over is for the caller to drop
    /// once it has let go of the lock.
    pub(super) fn remove(&mut self, topic: &Topic, id: u64) -> (bool, Option<Listeners>) {
        let (kind, name) = split(topic);
        let Some(subscribed) = self.of(kind).get_mut(name) else { return (false, None) };
        subscribed.ending.retain(|other| *other != id);
        let rest = subscribed.listeners.iter().filter(|(other, _)| *other != id).cloned().collect();
        let old = std::mem::replace(&mut subscribed.listeners, Arc::new(rest));
        (subscribed.listeners.is_empty(), Some(old))
    }

    /// Returns whether the listener has neither been removed nor ended with its connection.
    pub(super) fn has(&self, topic: &Topic, id: u64) -> bool {
        self.get(topic).is_some_and(|subscribed| subscribed.listeners.iter().any(|(other, _)| *other == id))
    }

    pub(super) fn is_confirmed(&self, topic: &Topic) -> bool {
        self.get(topic).is_some_and(|subscribed| subscribed.confirmed)
    }

    pub(super) fn confirm(&mut self, kind: TopicKind, name: &str) {
        if let Some(subscribed) = self.of(kind).get_mut(name) {
            subscribed.confirmed = true;
            subscribed.settled = true;
            subscribed.refused = false;
        }
    }

    /// The server refuses a topic that was confirmed on an earlier connection.
    pub(super) fn refuse(&mut self, topic: &Topic) {
        let (kind, name) = split(topic);
        if let Some(subscribed) = self.of(kind).get_mut(name) {
            subscribed.refused = true;
        }
    }

    pub(super) fn is_refused(&self, topic: &Topic) -> bool {
        self.get(topic).is_some_and(Subscribed::is_refused)
    }

    /// Returns the topics that the server refused after a reconnect and that still have listeners.
    pub(super) fn refused(&self) -> Vec<Topic> {
        let names = |topics: &HashMap<Arc<str>, Subscribed>| {
            let refused = topics.iter().filter(|(_, subscribed)| subscribed.is_refused());
            refused.map(|(name, _)| Arc::clone(name)).collect::<Vec<_>>()
        };
        let channels = names(&self.channels).into_iter().map(Topic::Channel);
        channels.chain(names(&self.patterns).into_iter().map(Topic::Pattern)).collect()
    }

    /// The pattern's copies can't be counted on.
    pub(super) fn unsettle(&mut self, pattern: &str) {
        if let Some(subscribed) = self.patterns.get_mut(pattern) {
            subscribed.settled = false;
        }
    }

    /// Takes the confirmation back if there is one listener only; returns whether the server has to be told. Who listens
    /// to the topic from now on subscribes anew.
    pub(super) fn take_back(&mut self, topic: &Topic) -> bool {
        let (kind, name) = split(topic);
        match self.of(kind).get_mut(name) {
            Some(subscribed) if subscribed.listeners.len() == 1 => std::mem::take(&mut subscribed.confirmed),
            _ => false,
        }
    }

    /// Forgets the topic if nobody listens to it any more; returns whether the server has yet to be told.
    pub(super) fn forget(&mut self, topic: &Topic) -> bool {
        let (kind, name) = split(topic);
        match self.of(kind).entry(Arc::clone(name)) {
            Entry::Occupied(entry) if entry.get().listeners.is_empty() => {
                entry.remove();
                true
            }
            _ => false,
        }
    }

    /// For a new connection: nothing is confirmed. Returns the channels and the patterns to subscribe to, and the listeners
    /// that have ended with the old connection, to be dropped without the lock. The patterns go in one command, so that a
    /// message finds all of them or none, and their copies can be counted from the start.
    pub(super) fn start_over(&mut self) -> (Vec<Arc<str>>, Vec<Arc<str>>, Vec<Listeners>) {
        let mut ended = Vec::new();
        let mut names = [TopicKind::Channel, TopicKind::Pattern].map(|kind| {
            let topics = self.of(kind);
            for subscribed in topics.values_mut().filter(|subscribed| !subscribed.ending.is_empty()) {
                let ending = std::mem::take(&mut subscribed.ending);
                let lasting = subscribed.listeners.iter().filter(|(id, _)| !ending.contains(id)).cloned();
                let lasting = Arc::new(lasting.collect());
                ended.push(std::mem::replace(&mut subscribed.listeners, lasting));
            }
            topics.retain(|_, subscribed| !subscribed.listeners.is_empty());
            for subscribed in topics.values_mut() {
                subscribed.confirmed = false;
                subscribed.settled = true;
            }
            topics.keys().cloned().collect::<Vec<_>>()
        });
        (std::mem::take(&mut names[0]), std::mem::take(&mut names[1]), ended)
    }

    /// The listeners of a message that came by its channel.
    pub(super) fn on_channel(&self, channel: &str) -> Option<(Arc<str>, Listeners)> {
        let (name, subscribed) = self.channels.get_key_value(channel)?;
        Some((Arc::clone(name), Arc::clone(&subscribed.listeners)))
    }

    /// The listeners of a message that came by some pattern: fred doesn't say which.
    pub(super) fn on_pattern(&self, channel: &str) -> Matched {
        let mut matched = Matched { listeners: Vec::new(), copies: 0 };
        for (pattern, subscribed) in &self.patterns {
            if glob::matches(pattern.as_bytes(), channel.as_bytes()) {
                matched.copies += usize::from(subscribed.settled);
                matched.listeners.push(Arc::clone(&subscribed.listeners));
            }
        }
        matched
    }

    /// Removes everything, for the caller to drop once it has let go of the lock.
    pub(super) fn clear(&mut self) -> Self {
        let next_id = self.next_id;
        std::mem::replace(self, Self { next_id, ..Self::default() })
    }

    fn get(&self, topic: &Topic) -> Option<&Subscribed> {
        let (kind, name) = split(topic);
        let topics = match kind {
            TopicKind::Channel => &self.channels,
            TopicKind::Pattern => &self.patterns,
        };
        topics.get(name)
    }

    fn of(&mut self, kind: TopicKind) -> &mut HashMap<Arc<str>, Subscribed> {
        match kind {
            TopicKind::Channel => &mut self.channels,
            TopicKind::Pattern => &mut self.patterns,
        }
    }
}

pub(super) fn split(topic: &Topic) -> (TopicKind, &Arc<str>) {
    match topic {
        Topic::Channel(name) => (TopicKind::Channel, name),
        Topic::Pattern(name) => (TopicKind::Pattern, name),
    }
}
