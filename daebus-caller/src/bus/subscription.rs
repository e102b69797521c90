//! The handle of a subscription.

use std::fmt;

use futures_util::future::BoxFuture;

/// A subscription; dropping it ends it, and what is on its way then is lost. [`leave`](Self::leave) loses nothing.
#[must_use = "a subscription ends when it is dropped"]
pub struct Subscription {
    leave: Option<Leave>,
    end: Option<Box<dyn FnOnce() + Send + Sync>>,
}

/// Tells the server, and waits until it knows.
type Leave = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send + Sync>;

impl Subscription {
    /// `end` runs once, when the subscription is dropped. It must not block.
    pub fn new(end: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self { leave: None, end: Some(Box::new(end)) }
    }

    /// `leave` comes before `end` when the subscription is [left](Self::leave): when it is done, nothing more is sent
    /// to this subscription, and all that was sent before has been delivered.
    pub fn leaving(mut self, leave: impl FnOnce() -> BoxFuture<'static, ()> + Send + Sync + 'static) -> Self {
        self.leave = Some(Box::new(leave));
        self
    }

    /// Ends the subscription in order: who publishes counts on us until the bus has confirmed that we are gone, and
    /// what they publish until then is still delivered.
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
