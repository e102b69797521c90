//! Rooms: groups of clients that messages are sent to.

use serde::Serialize;

use super::client::Client;
use super::error::SocketError;
use super::sockets::{Sockets, send_where};

impl Sockets {
    /// Returns the room of this name, which has the clients that have [joined](crate::Client::join) it. A room without
    /// members is empty, not an error.
    ///
    /// ```
    /// use daebus::prelude::*;
    ///
    /// #[derive(Serialize, Deserialize)]
    /// struct Chat { room: String, text: String }
    ///
    /// #[socket("chat_message")]
    /// async fn chat(Payload(chat): Payload<Chat>, sockets: Sockets) -> Result<usize, BoxError> {
    ///     Ok(sockets.room(&chat.room).send("chat", &chat)?)
    /// }
    /// # let _ = blueprint_of!["chat"; chat];
    /// ```
    pub fn room(&self, name: impl Into<String>) -> Room {
        Room { name: name.into(), sockets: self.clone() }
    }

    /// Returns the names of the rooms that have members, in no order.
    pub fn rooms(&self) -> Vec<String> {
        self.table_now().rooms().map(str::to_owned).collect()
    }
}

/// The clients that have joined a room; see [`Sockets::room`].
#[derive(Debug, Clone)]
#[must_use = "a room does nothing by itself; send to it"]
pub struct Room {
    name: String,
    sockets: Sockets,
}

impl Room {
    /// Returns the name of the room.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sends `{"type": kind, "data": …}` to every member and returns to how many; `None` as the type is `broadcast`.
    ///
    /// # Errors
    ///
    /// Returns an error if the data can't be written as JSON; nothing is sent then.
    pub fn send<'a>(
        &self,
        kind: impl Into<Option<&'a str>>,
        data: impl Serialize,
    ) -> Result<usize, SocketError> {
        self.send_where(kind, data, |_| true)
    }

    /// Sends to every member for which `wanted` returns true, and returns to how many: to all but the sender, for
    /// example.
    ///
    /// # Errors
    ///
    /// Returns an error if the data can't be written as JSON; nothing is sent then.
    pub fn send_where<'a>(
        &self,
        kind: impl Into<Option<&'a str>>,
        data: impl Serialize,
        wanted: impl Fn(&Client) -> bool,
    ) -> Result<usize, SocketError> {
        send_where(&self.list(), kind.into(), &data, wanted)
    }

    /// Returns every member, in no order.
    pub fn list(&self) -> Vec<Client> {
        self.sockets.table_now().members(&self.name)
    }

    /// Returns the number of members.
    pub fn count(&self) -> usize {
        self.list().len()
    }
}
