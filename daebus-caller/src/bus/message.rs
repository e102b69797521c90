//! Messages, and the trait of those who receive them.

use std::sync::Arc;

use bytes::Bytes;

/// A message as the bus hands it over.
#[derive(Debug, Clone)]
pub struct Message {
    /// The channel it was published on.
    pub channel: Arc<str>,
    /// What was published.
    pub payload: Bytes,
}

/// Takes messages from the bus.
///
/// Called in the bus's reader: it must not block, and must not panic. What takes time goes into a [`Queue`].
pub trait Deliver: Send + Sync + 'static {
    /// Takes one message.
    fn deliver(&self, message: Message);
}

impl<F: Fn(Message) + Send + Sync + 'static> Deliver for F {
    fn deliver(&self, message: Message) {
        self(message);
    }
}
