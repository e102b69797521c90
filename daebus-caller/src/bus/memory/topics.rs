//! Who listens to what.

use std::collections::HashMap;
use std::sync::Arc;

use crate::bus::glob;
use crate::bus::message::Deliver;
use crate::bus::topic::Topic;

#[derive(Default)]
pub(super) struct Topics {
    channels: HashMap<Arc<str>, Vec<Listener>>,
    patterns: HashMap<Arc<str>, Vec<Listener>>,
    next_id: u64,
}

pub(super) struct Listener {
    id: u64,
    user: u64,
    receiver: Arc<dyn Deliver>,
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
        map.entry(name).or_default().push(Listener { id, user, receiver });
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
        let gone = listeners.remove(at);
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
                gone.extend(listeners.extract_if(.., |listener| listener.user == user));
                !listeners.is_empty()
            });
        }
        gone
    }

    /// The receivers of a message, those of the channel first.
    pub(super) fn matching(&self, channel: &str) -> Vec<Arc<dyn Deliver>> {
        let exact = self.channels.get(channel).into_iter();
        let patterns = self.patterns.iter().filter_map(|(pattern, listeners)| {
            glob::matches(pattern.as_bytes(), channel.as_bytes()).then_some(listeners)
        });
        exact.chain(patterns).flatten().map(|listener| Arc::clone(&listener.receiver)).collect()
    }

    pub(super) fn subscribers(&self, channel: &str) -> u64 {
        self.channels.get(channel).map_or(0, |listeners| listeners.len() as u64)
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.channels.is_empty() && self.patterns.is_empty()
    }
}
