//! Messages and their receivers.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

/// A message as the bus delivers it.
#[derive(Debug, Clone)]
pub struct Message {
    /// The channel it was published on.
    pub channel: Arc<str>,
    /// The published bytes.
    pub payload: Bytes,
    /// When the bus received it, on tokio's clock: an instant of [`tokio::time`], which a paused test clock applies to, so that
    /// a service's deadlines can be tested without waiting. The type is that of tokio 1.
    pub received: Instant,
}

impl Message {
    /// Creates a message that is received now.
    pub fn new(channel: impl Into<Arc<str>>, payload: impl Into<Bytes>) -> Self {
        Self { channel: channel.into(), payload: payload.into(), received: Instant::now() }
    }
}

/// A receiver of messages.
///
/// It runs in the bus's reader, so it must not block and must not panic. Work that takes time belongs in a task, fed
/// through a bounded channel.
pub trait Deliver: Send + Sync + 'static {
    /// Receives one message.
    fn deliver(&self, message: Message);
}

impl<F: Fn(Message) + Send + Sync + 'static> Deliver for F {
    fn deliver(&self, message: Message) {
        self(message);
    }
}
