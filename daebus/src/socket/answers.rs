//! Queues the answers of one client's messages.

use axum::extract::ws::Message;
use daebus_caller::wire::Fault;
use tracing::error;

use super::client::Client;
use super::error::SocketError;

/// Queues an answer as soon as the client's queue has a place for it. `failed` makes the frame of an error.
pub(super) async fn deliver(client: &Client, answer: Message, failed: impl Fn(&Fault) -> Message) {
    let answer = sendable(client, answer, failed);
    // A client that is gone needs no answer.
    let _ = client.outgoing().deliver(answer).await;
}

/// Returns the answer, or an error in its place if it is larger than the client's queue.
pub(super) fn sendable(client: &Client, answer: Message, failed: impl Fn(&Fault) -> Message) -> Message {
    match client.outgoing().checked_size(&answer) {
        Err(SocketError::TooLarge { bytes, limit }) => {
            error!(client = client.id(), bytes, limit, "an answer is larger than WebSocket::queue_bytes");
            failed(&Fault::internal())
        }
        _ => answer,
    }
}
