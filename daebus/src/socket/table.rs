//! The connected clients, and the rooms that they are in.

use std::collections::HashMap;
use std::sync::Arc;

/// The connected clients by their id, and the members of each room. A room without members doesn't exist.
#[derive(Debug)]
pub(super) struct Table<C> {
    clients: HashMap<Arc<str>, C>,
    rooms: HashMap<Arc<str>, HashMap<Arc<str>, C>>,
}

impl<C> Default for Table<C> {
    fn default() -> Self {
        Self { clients: HashMap::new(), rooms: HashMap::new() }
    }
}

impl<C: Clone> Table<C> {
    pub(super) fn count(&self) -> usize {
        self.clients.len()
    }

    pub(super) fn clients(&self) -> impl Iterator<Item = &C> {
        self.clients.values()
    }

    pub(super) fn get(&self, id: &str) -> Option<&C> {
        self.clients.get(id)
    }

    /// Adds a client that is in these rooms already.
    pub(super) fn insert(&mut self, id: &Arc<str>, client: &C, rooms: &[Arc<str>]) {
        self.clients.insert(Arc::clone(id), client.clone());
        for room in rooms {
            self.join(room, id, client);
        }
    }

    /// Removes a client, which is in these rooms.
    pub(super) fn remove(&mut self, id: &str, rooms: &[Arc<str>]) -> Option<C> {
        for room in rooms {
            self.leave(room, id);
        }
        self.clients.remove(id)
    }

    pub(super) fn join(&mut self, room: &Arc<str>, id: &Arc<str>, client: &C) {
        self.rooms.entry(Arc::clone(room)).or_default().insert(Arc::clone(id), client.clone());
    }

    pub(super) fn leave(&mut self, room: &str, id: &str) {
        if let Some(members) = self.rooms.get_mut(room) {
            members.remove(id);
            if members.is_empty() {
                self.rooms.remove(room);
            }
        }
    }

    /// Returns the members of a room.
    pub(super) fn members(&self, room: &str) -> Vec<C> {
        self.rooms.get(room).map(|members| members.values().cloned().collect()).unwrap_or_default()
    }

    /// Returns the names of all rooms.
    pub(super) fn rooms(&self) -> impl Iterator<Item = &str> {
        self.rooms.keys().map(|room| &**room)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_ends_with_its_last_member() {
        let mut table = Table::default();
        let (ada, bob): (Arc<str>, Arc<str>) = ("ada".into(), "bob".into());
        let (hall, kitchen): (Arc<str>, Arc<str>) = ("hall".into(), "kitchen".into());
        table.insert(&ada, &1, &[Arc::clone(&hall)]);
        table.insert(&bob, &2, &[]);
        table.join(&hall, &bob, &2);
        table.join(&kitchen, &bob, &2);
        assert_eq!(table.members("kitchen"), [2]);
        table.leave("kitchen", "bob");
        table.remove("ada", &[Arc::clone(&hall)]);
        assert_eq!(table.rooms().collect::<Vec<_>>(), ["hall"]);
        table.remove("bob", &[hall, kitchen]);
        assert_eq!((table.rooms().count(), table.count()), (0, 0));
    }
}
