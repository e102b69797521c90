//! Errors of sending to clients.

use daebus_caller::wire::{RawJson, encode};
use serde::Serialize;

/// Errors of sending to a client, and of joining a room.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SocketError {
    /// No client with this id is connected, or its connection is closing.
    #[error("the client {client} is not connected")]
    NotConnected {
        /// The client's id.
        client: String,
    },
    /// The data can't be written as JSON.
    #[error("a message of type {kind:?} can't be written as JSON: {reason}")]
    Encode {
        /// The message's type.
        kind: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The frame is larger than [`WebSocket::queue_bytes`](crate::WebSocket::queue_bytes) allows.
    #[error("a frame of {bytes} bytes is larger than WebSocket::queue_bytes, {limit}")]
    TooLarge {
        /// The size of the frame.
        bytes: usize,
        /// The largest allowed size.
        limit: usize,
    },
    /// The name of a room is empty or longer than 255 bytes.
    #[error("a room's name has 1 to {limit} bytes, and this one has {bytes}")]
    RoomName {
        /// The size of the name.
        bytes: usize,
        /// The largest allowed size.
        limit: usize,
    },
    /// The client is in as many rooms as [`WebSocket::max_rooms`](crate::WebSocket::max_rooms) allows.
    #[error("the client {client} is in {limit} rooms already, as many as WebSocket::max_rooms allows")]
    TooManyRooms {
        /// The client's id.
        client: String,
        /// The maximum number of rooms of a client.
        limit: usize,
    },
}

/// Writes data as JSON. `()` is written as `{}`.
pub(super) fn encoded<T: Serialize + ?Sized>(kind: &str, data: &T) -> Result<RawJson, SocketError> {
    encode(data).map_err(|error| SocketError::Encode { kind: kind.to_owned(), reason: error.to_string() })
}

pub(super) fn not_connected(client: &str) -> SocketError {
    SocketError::NotConnected { client: client.to_owned() }
}
