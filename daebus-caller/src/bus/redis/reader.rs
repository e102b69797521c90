//! Takes messages off the connection and hands them to those who listen.
//!
//! fred hands messages over in a tokio broadcast, which overwrites what isn't read in time; its `on_message` ends for
//! good when that happens. And a reading task, or thread, doesn't come to it in time: fred's task gives way only
//! after 128 reads of 8 KB, which is more small messages than fit, and 20,000 in a burst lost hundreds.
//!
//! So the reader runs within fred's task. The broadcast calls the waker of whoever waits for it from within `send`,
//! with its locks released; our waker reads on the spot. Nothing is ever queued there, no message waits for a task
//! to be scheduled, and when an answer is here, so is all that the server sent before it. A receiver that blocks
//! holds up the connection, and through it the server, instead of losing messages.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};

use bytes::Bytes;
use fred::interfaces::EventInterface;
use fred::types::{Message as Arrived, MessageKind, Value};
use parking_lot::Mutex;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::unconstrained;

use super::connection::Connection;
use super::state::RedisBusState;
use super::subscriptions::Listeners;
use crate::bus::message::Message;

/// Hands over what arrives, until the connection's client is gone.
pub(super) fn start(shared: Arc<RedisBusState>, connection: &Connection) {
    let (mut arrivals, heard) = (connection.client().message_rx(), Arc::clone(&connection.heard));
    let mut reader = Reader { shared, repeats: None };
    // Unconstrained: it isn't a task of its own, and would use up the budget of fred's.
    let reading = unconstrained(async move {
        loop {
            match arrivals.recv().await {
                Ok(message) => {
                    heard.fetch_add(1, Ordering::Relaxed);
                    reader.take(message);
                }
                Err(RecvError::Lagged(lost)) => reader.lost(lost),
                Err(RecvError::Closed) => return,
            }
        }
    });
    Arc::new(OnTheSpot { future: Mutex::new(Some(Box::pin(reading))), wakes: AtomicUsize::new(0) }).wake();
}

/// A future that is polled by whoever wakes it.
struct OnTheSpot {
    future: Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
    /// How often it was woken since it was last at rest.
    wakes: AtomicUsize,
}

impl Wake for OnTheSpot {
    fn wake(self: Arc<Self>) {
        // Who finds another at it leaves it to them: they look again before they go.
        if self.wakes.fetch_add(1, Ordering::AcqRel) > 0 {
            return;
        }
        let waker = Waker::from(Arc::clone(&self));
        let mut seen = 1;
        loop {
            let mut future = self.future.lock();
            let done = future
                .as_mut()
                .is_some_and(|future| future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
            let finished = if done { future.take() } else { None };
            drop(future);
            drop(finished);
            match self.wakes.compare_exchange(seen, 0, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }
}

struct Reader {
    shared: Arc<RedisBusState>,
    repeats: Option<Repeats>,
}

/// The copies of a message that are still to come. A message matched by k of our patterns arrives k times in a row.
struct Repeats {
    channel: Arc<str>,
    payload: Bytes,
    left: usize,
}

impl Reader {
    fn take(&mut self, arrived: Arrived) {
        let payload = match arrived.value {
            Value::String(text) => text.into_inner(),
            Value::Bytes(bytes) => bytes,
            other => {
                tracing::warn!(channel = %arrived.channel, kind = ?other.kind(), "a message that is no string is dropped");
                return;
            }
        };
        if arrived.kind == MessageKind::Message {
            self.repeats = None;
            let found = self.shared.subscriptions().on_channel(&arrived.channel);
            if let Some((channel, listeners)) = found {
                deliver(&listeners, &Message::new(channel, payload));
            }
            return;
        }
        if let Some(repeats) = &mut self.repeats
            && repeats.left > 0
            && *repeats.channel == *arrived.channel
            && repeats.payload == payload
        {
            repeats.left -= 1;
            return;
        }
        let matched = self.shared.subscriptions().on_pattern(&arrived.channel);
        let message = Message::new(&*arrived.channel, payload);
        // A pattern that isn't settled may or may not have its copy among these. It isn't counted, so that in doubt
        // a message is heard twice rather than not at all.
        self.repeats = (matched.copies > 1).then(|| Repeats {
            channel: Arc::clone(&message.channel),
            payload: message.payload.clone(),
            left: matched.copies - 1,
        });
        for listeners in &matched.listeners {
            deliver(listeners, &message);
        }
    }

    fn lost(&mut self, lost: u64) {
        self.repeats = None;
        let total = self.shared.lost.fetch_add(lost, Ordering::Relaxed) + lost;
        tracing::warn!(lost, total, "messages were lost: they came faster than they could be handed over");
    }
}

fn deliver(listeners: &Listeners, message: &Message) {
    for (_, receiver) in listeners.iter() {
        // Receivers must not panic; one that does must not silence the others.
        if catch_unwind(AssertUnwindSafe(|| receiver.deliver(message.clone()))).is_err() {
            tracing::error!(channel = %message.channel, "a receiver panicked on a message");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_read_while_it_is_sent() {
        let (sender, mut arrivals) = tokio::sync::broadcast::channel(4);
        let read = Arc::new(Mutex::new(Vec::new()));
        let reading = {
            let read = Arc::clone(&read);
            unconstrained(async move {
                while let Ok(n) = arrivals.recv().await {
                    read.lock().push(n);
                }
            })
        };
        let reader =
            Arc::new(OnTheSpot { future: Mutex::new(Some(Box::pin(reading))), wakes: AtomicUsize::new(0) });
        Arc::clone(&reader).wake();
        for n in 0..10_000 {
            sender.send(n).unwrap();
            assert_eq!(read.lock().len(), n + 1);
        }
        drop(sender);
        assert!(reader.future.lock().is_none(), "it ends with the sender");
        assert_eq!(*read.lock(), (0..10_000).collect::<Vec<_>>());
    }
}
