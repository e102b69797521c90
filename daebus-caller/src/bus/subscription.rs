//! The handle of a subscription.

use std::fmt;

use futures_util::future::BoxFuture;

/// A subscription. Dropping it ends it and loses messages in transit; [`leave`](Self::leave) loses none.
#[must_use = "a subscription ends when it is dropped"]
pub struct Subscription {
    leave: Option<Leave>,
    end: Option<Box<dyn FnOnce() + Send + Sync>>,
}

/// Unsubscribes from the server and waits for its confirmation.
type Leave = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send + Sync>;

impl Subscription {
    /// Creates a subscription. `end` runs once, when the subscription is dropped. It must not block.
    pub fn new(end: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self { leave: None, end: Some(Box::new(end)) }
    }

    /// Sets what runs before `end` if the subscription is [left](Self::leave). After `leave` completes, no more messages are
    /// sent to this subscription, and all messages sent before have been delivered.
    pub fn leaving(mut self, leave: impl FnOnce() -> BoxFuture<'static, ()> + Send + Sync + 'static) -> Self {
        self.leave = Some(Box::new(leave));
        self
    }

    /// Ends the subscription in order: publishers count this receiver until the bus has confirmed the end, and messages
    /// published until then are still delivered.
    pub async fn leave(mut self) {
        if let Some(leave) = self.leave.take() {
            leave().await;
        }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subscription")
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(end) = self.end.take() {
            end();
        }
    }
}
