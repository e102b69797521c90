//! A bounded queue between the bus's reader and slower receivers, with an explicit policy when full.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use super::message::{Deliver, Message};
use super::queue_limits::QueueLimits;

/// What a message takes beside its payload and the name of its channel, rounded up: its place in the queue and the
/// headers of its allocations. Without it, empty messages would be unlimited.
const OVERHEAD: usize = 128;

/// How many messages an empty queue keeps room for.
const KEPT: usize = 1024;

/// A bounded queue of messages: the bus puts in, one [`QueueReceiver`] takes out. Dropping its last handle closes it,
/// as the end of a subscription or of its bus does for a queue that nobody else holds.
#[derive(Debug)]
pub struct Queue {
    state: Arc<QueueState>,
}

struct QueueState {
    limits: QueueLimits,
    when_full: FullPolicy,
    buffer: Arc<Mutex<Buffer>>,
    arrived: Notify,
}

enum FullPolicy {
    DropOldest {
        /// What receives the messages, for the log.
        receiver: Option<Arc<str>>,
    },
    Refuse(Box<dyn Fn(Message) + Send + Sync>),
}

#[derive(Debug, Default)]
struct Buffer {
    messages: VecDeque<Message>,
    bytes: usize,
    closed: bool,
    dropped: u64,
    /// `dropped` as it was when the dropping that is going on began.
    dropping_since: Option<u64>,
}

impl Buffer {
    /// Returns how many messages were dropped in the episode that ends here, if there is one.
    fn end_dropping(&mut self) -> Option<u64> {
        self.dropping_since.take().map(|since| self.dropped - since)
    }
}

impl Queue {
    /// A queue for broadcasts: when full, the oldest message is dropped and counted, so that the listener stays close
    /// to what happens now. The log says when dropping begins and when it ends.
    pub fn drop_oldest(limits: QueueLimits) -> (Arc<Self>, QueueReceiver) {
        Self::new(limits, FullPolicy::DropOldest { receiver: None })
    }

    /// The same as [`drop_oldest`](Self::drop_oldest), with a name of the receiver for the log: several receivers may have
    /// queues for one channel.
    pub fn drop_oldest_of(receiver: impl Into<Arc<str>>, limits: QueueLimits) -> (Arc<Self>, QueueReceiver) {
        Self::new(limits, FullPolicy::DropOldest { receiver: Some(receiver.into()) })
    }

    /// A queue for requests: when full or closed, the new message goes to `on_full`, which answers it with
    /// `overloaded`. `on_full` runs in the bus's reader: it must not block.
    pub fn refuse(
        limits: QueueLimits,
        on_full: impl Fn(Message) + Send + Sync + 'static,
    ) -> (Arc<Self>, QueueReceiver) {
        Self::new(limits, FullPolicy::Refuse(Box::new(on_full)))
    }

    fn new(limits: QueueLimits, when_full: FullPolicy) -> (Arc<Self>, QueueReceiver) {
        let state =
            Arc::new(QueueState { limits, when_full, buffer: Arc::default(), arrived: Notify::new() });
        (Arc::new(Self { state: Arc::clone(&state) }), QueueReceiver { state })
    }

    /// How many messages were dropped or refused since the queue was made.
    pub fn dropped(&self) -> u64 {
        self.state.lock().dropped
    }

    /// Returns a meter of this queue, which doesn't keep the queue open.
    pub fn meter(&self) -> QueueMeter {
        QueueMeter { buffer: Arc::clone(&self.state.buffer) }
    }

    /// Takes no more messages; what waits can still be received.
    pub fn close(&self) {
        self.state.close();
    }
}

/// Reads the length of a [`Queue`] and its count of dropped messages, also after the queue is closed.
#[derive(Debug, Clone)]
pub struct QueueMeter {
    /// Without the policy, which may hold what holds this meter.
    buffer: Arc<Mutex<Buffer>>,
}

impl QueueMeter {
    /// Returns how many messages wait.
    pub fn waiting(&self) -> usize {
        self.buffer.lock().messages.len()
    }

    /// Returns how many messages were dropped or refused since the queue was made.
    pub fn dropped(&self) -> u64 {
        self.buffer.lock().dropped
    }

    /// Returns whether both meter the same queue.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.buffer, &other.buffer)
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.close();
    }
}

impl Deliver for Queue {
    fn deliver(&self, message: Message) {
        self.state.put(message);
    }
}

impl QueueState {
    fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Buffer> {
        self.buffer.lock()
    }

    fn take(&self) -> Taken {
        let mut buffer = self.lock();
        let Some(message) = buffer.messages.pop_front() else {
            return if buffer.closed { Taken::Closed } else { Taken::Nothing };
        };
        buffer.bytes -= size(&message);
        if buffer.messages.is_empty() {
            // A burst may have taken megabytes.
            buffer.messages.shrink_to(KEPT);
        }
        // Half empty counts as the end: a queue that hovers at its limit would otherwise log without end.
        let relieved =
            buffer.messages.len() <= self.limits.messages / 2 && buffer.bytes <= self.limits.bytes / 2;
        let dropped = if relieved { buffer.end_dropping() } else { None };
        drop(buffer);
        if let Some(dropped) = dropped {
            self.log_dropped(&message.channel, dropped);
        }
        Taken::Message(message)
    }

    /// Drops what waits, since it can't be received any more.
    fn discard(&self) {
        let mut buffer = self.lock();
        buffer.closed = true;
        buffer.bytes = 0;
        let messages = std::mem::take(&mut buffer.messages);
        let dropped = buffer.end_dropping();
        drop(buffer);
        if let (Some(dropped), Some(message)) = (dropped, messages.front()) {
            self.log_dropped(&message.channel, dropped);
        }
    }

    fn receiver(&self) -> Option<&str> {
        match &self.when_full {
            FullPolicy::DropOldest { receiver } => receiver.as_deref(),
            FullPolicy::Refuse(_) => None,
        }
    }

    fn log_dropped(&self, channel: &str, dropped: u64) {
        let receiver = self.receiver();
        tracing::warn!(
            channel,
            receiver,
            dropped,
            "the queue accepts messages again, messages were dropped meanwhile"
        );
    }

    fn put(&self, message: Message) {
        let size = size(&message);
        let mut buffer = self.lock();
        let full = |buffer: &Buffer| {
            !buffer.messages.is_empty()
                && (buffer.messages.len() >= self.limits.messages || buffer.bytes + size > self.limits.bytes)
        };
        if buffer.closed || full(&buffer) {
            match &self.when_full {
                FullPolicy::Refuse(on_full) => {
                    buffer.dropped += 1;
                    drop(buffer);
                    return on_full(message);
                }
                FullPolicy::DropOldest { .. } if buffer.closed => return,
                FullPolicy::DropOldest { .. } => {}
            }
        }
        let before = buffer.dropped;
        while full(&buffer) {
            if let Some(oldest) = buffer.messages.pop_front() {
                buffer.bytes -= self::size(&oldest);
                buffer.dropped += 1;
            }
        }
        let begins = buffer.dropped > before && buffer.dropping_since.is_none();
        if begins {
            buffer.dropping_since = Some(before);
        }
        buffer.bytes += size;
        let channel = begins.then(|| Arc::clone(&message.channel));
        buffer.messages.push_back(message);
        drop(buffer);
        self.arrived.notify_one();
        if let Some(channel) = channel {
            tracing::warn!(
                %channel,
                receiver = self.receiver(),
                limit_bytes = self.limits.bytes,
                "queue full, the oldest messages are dropped until the listener catches up"
            );
        }
    }
}

impl fmt::Debug for QueueState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let buffer = self.lock();
        f.debug_struct("Queue")
            .field("messages", &buffer.messages.len())
            .field("bytes", &buffer.bytes)
            .field("dropped", &buffer.dropped)
            .field("closed", &buffer.closed)
            .finish_non_exhaustive()
    }
}

/// The way out of a [`Queue`]. Dropping it closes the queue.
#[derive(Debug)]
pub struct QueueReceiver {
    state: Arc<QueueState>,
}

impl QueueReceiver {
    /// The next message, as soon as there is one; `None` when the queue is closed and drained. Cancelling this loses
    /// nothing.
    pub async fn recv(&mut self) -> Option<Message> {
        loop {
            match self.state.take() {
                Taken::Message(message) => return Some(message),
                Taken::Closed => return None,
                // `notify_one` leaves a permit when nobody waits, so a message between `take` and here isn't missed.
                Taken::Nothing => self.state.arrived.notified().await,
            }
        }
    }

    /// The next message if there is one now.
    pub fn try_recv(&mut self) -> Option<Message> {
        match self.state.take() {
            Taken::Message(message) => Some(message),
            Taken::Closed | Taken::Nothing => None,
        }
    }

    /// Takes no more messages; what waits can still be received.
    pub fn close(&self) {
        self.state.close();
    }

    /// How many messages wait.
    pub fn len(&self) -> usize {
        self.state.lock().messages.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many messages were dropped or refused since the queue was made.
    pub fn dropped(&self) -> u64 {
        self.state.lock().dropped
    }
}

impl Drop for QueueReceiver {
    fn drop(&mut self) {
        self.state.discard();
    }
}

enum Taken {
    Message(Message),
    Nothing,
    Closed,
}

fn size(message: &Message) -> usize {
    OVERHEAD + message.channel.len() + message.payload.len()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn message(payload: impl Into<Bytes>) -> Message {
        Message::new("c", payload)
    }

    fn limits(messages: usize, bytes: usize) -> QueueLimits {
        QueueLimits { messages, bytes }
    }

    fn drain(receiver: &mut QueueReceiver) -> Vec<Bytes> {
        std::iter::from_fn(|| receiver.try_recv()).map(|message| message.payload).collect()
    }

    #[test]
    fn a_full_queue_of_broadcasts_keeps_the_newest() {
        let (queue, mut receiver) = Queue::drop_oldest(limits(3, 1000));
        for payload in ["1", "2", "3", "4", "5"] {
            queue.deliver(message(payload));
        }
        assert_eq!((receiver.len(), receiver.dropped()), (3, 2));
        let meter = queue.meter();
        assert_eq!((meter.waiting(), meter.dropped()), (3, 2));
        assert!(meter.is_same(&queue.meter()));
        assert_eq!(drain(&mut receiver), ["3", "4", "5"]);
        drop(queue);
        assert_eq!((meter.waiting(), meter.dropped()), (0, 2), "a closed queue keeps its count");
    }

    #[test]
    fn bytes_are_bounded_too_but_one_large_message_passes() {
        let (queue, mut receiver) = Queue::drop_oldest(limits(100, 2 * OVERHEAD + 10));
        queue.deliver(message(vec![1; 4]));
        queue.deliver(message(vec![2; 4]));
        queue.deliver(message(vec![3; 4]));
        assert_eq!((receiver.len(), receiver.dropped()), (2, 1));
        queue.deliver(message(vec![4; 500]));
        assert_eq!(drain(&mut receiver), [vec![4; 500]]);
        assert_eq!(receiver.dropped(), 3);
    }

    #[test]
    fn a_full_queue_of_requests_hands_the_newest_back() {
        let refused = Arc::new(Mutex::new(Vec::new()));
        let (queue, mut receiver) = Queue::refuse(limits(2, 1000), {
            let refused = Arc::clone(&refused);
            move |message: Message| refused.lock().push(message.payload)
        });
        for payload in ["1", "2", "3", "4"] {
            queue.deliver(message(payload));
        }
        assert_eq!(*refused.lock(), ["3", "4"]);
        assert_eq!(drain(&mut receiver), ["1", "2"]);
        assert_eq!(receiver.dropped(), 2);

        receiver.close();
        queue.deliver(message("5"));
        assert_eq!(*refused.lock(), ["3", "4", "5"]);
    }

    #[test]
    fn an_empty_queue_gives_back_the_memory_of_a_burst() {
        let (queue, mut receiver) = Queue::drop_oldest(QueueLimits::default());
        for _ in 0..100 * KEPT {
            queue.deliver(message("x"));
        }
        assert_eq!(drain(&mut receiver).len(), 100 * KEPT);
        assert!(receiver.state.lock().messages.capacity() <= 2 * KEPT);
    }
}
