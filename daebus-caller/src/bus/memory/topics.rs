//! Who listens to what.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::bus::glob;
use crate::bus::message::{Deliver, Message};
use crate::bus::topic::Topic;

#[derive(Default)]
pub(super) struct Topics {
    channels: HashMap<Arc<str>, Arc<Vec<Listener>>>,
    patterns: HashMap<Arc<str>, Arc<Vec<Listener>>>,
    next_id: u64,
}

#[derive(Clone)]
pub(super) struct Listener {
    id: u64,
    user: u64,
    receiver: Arc<dyn Deliver>,
}

/// The receivers of a message, as they were when it was published.
pub(super) struct Matching {
    /// Those of the channel itself, and its name.
    exact: Option<(Arc<str>, Arc<Vec<Listener>>)>,
    patterns: Vec<Arc<Vec<Listener>>>,
}

impl Matching {
    /// Delivers a message, to the receivers of the channel first; returns how many there are.
    pub(super) fn deliver(&self, channel: &str, payload: &Bytes) -> u64 {
        let name = self.exact.as_ref().map(|(name, _)| Arc::clone(name));
        let message = Message::new(name.unwrap_or_else(|| channel.into()), payload.clone());
        let exact = self.exact.iter().map(|(_, listeners)| listeners);
        let mut count = 0;
        for listener in exact.chain(&self.patterns).flat_map(|listeners| listeners.iter()) {
            listener.receiver.deliver(message.clone());
            count += 1;
        }
        count
    }
}

impl Topics {
    /// Adds a listener; the number returned is for [`Self::remove`].
    pub(super) fn add(&mut self, user: u64, topic: Topic, receiver: Arc<dyn Deliver>) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let (map, name) = match topic {
            Topic::Channel(name) => (&mut self.channels, name),
            Topic::Pattern(name) => (&mut self.patterns, name),
        };
        Arc::make_mut(map.entry(name).or_default()).push(Listener { id, user, receiver });
        id
    }

    /// Removes a listener, which the caller drops once it has let go of the lock.
    pub(super) fn remove(&mut self, topic: &Topic, id: u64) -> Option<Listener> {
        let map = match topic {
            Topic::Channel(_) => &mut self.channels,
            Topic::Pattern(_) => &mut self.patterns,
        };
        let listeners = map.get_mut(topic.as_str())?;
        let at = listeners.iter().position(|listener| listener.id == id)?;
        let gone = Arc::make_mut(listeners).remove(at);
        if listeners.is_empty() {
            map.remove(topic.as_str());
        }
        Some(gone)
    }

    /// Removes a user's listeners, which the caller drops once it has let go of the lock.
    pub(super) fn remove_user(&mut self, user: u64) -> Vec<Listener> {
        let mut gone = Vec::new();
        for map in [&mut self.channels, &mut self.patterns] {
            map.retain(|_, listeners| {
                gone.extend(Arc::make_mut(listeners).extract_if(.., |listener| listener.user == user));
                !listeners.is_empty()
            });
        }
        gone
    }

    /// The receivers of a message.
    pub(super) fn matching(&self, channel: &str) -> Matching {
        let exact = self.channels.get_key_value(channel);
        let exact = exact.map(|(name, listeners)| (Arc::clone(name), Arc::clone(listeners)));
        let patterns =
            self.patterns.iter().filter(|(pattern, _)| glob::matches(pattern.as_bytes(), channel.as_bytes()));
        Matching { exact, patterns: patterns.map(|(_, listeners)| Arc::clone(listeners)).collect() }
    }

    pub(super) fn subscribers(&self, channel: &str) -> u64 {
        self.channels.get(channel).map_or(0, |listeners| listeners.len() as u64)
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.channels.is_empty() && self.patterns.is_empty()
    }
}
