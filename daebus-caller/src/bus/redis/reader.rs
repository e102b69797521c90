//! Takes messages off the connection and hands them to those who listen.
//!
//! fred hands messages over in a tokio broadcast, which overwrites what isn't read in time; its `on_message` ends for
//! good when that happens. So nothing here waits but for the next message, and what was overwritten is counted and
//! said.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use fred::types::{Message as Arrived, MessageKind, Value};
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::shared::Shared;
use super::subscriptions::Listeners;
use crate::bus::Message;

/// Asks the reader to say when it has read what was there when it was asked. From then on the pattern's copies count.
pub(super) struct Settle {
    pub(super) pattern: Arc<str>,
    pub(super) done: oneshot::Sender<()>,
}

pub(super) struct Reader {
    shared: Arc<Shared>,
    arrivals: broadcast::Receiver<Arrived>,
    settles: mpsc::UnboundedReceiver<Settle>,
    /// What was asked for, with the number of messages to read before.
    settling: Vec<(usize, Settle)>,
    repeats: Option<Repeats>,
}

/// The copies of a message that are still to come. A message matched by k of our patterns arrives k times in a row.
struct Repeats {
    channel: Arc<str>,
    payload: Bytes,
    left: usize,
}

impl Reader {
    /// Reads until the connection is gone and its last message is handed over.
    pub(super) fn start(
        shared: Arc<Shared>,
        arrivals: broadcast::Receiver<Arrived>,
        gone: CancellationToken,
    ) -> mpsc::UnboundedSender<Settle> {
        let (sender, settles) = mpsc::unbounded_channel();
        let reader = Self { shared, arrivals, settles, settling: Vec::new(), repeats: None };
        tokio::spawn(reader.run(gone));
        sender
    }

    async fn run(mut self, gone: CancellationToken) {
        loop {
            while let Ok(settle) = self.settles.try_recv() {
                self.settling.push((self.arrivals.len(), settle));
            }
            self.settle();
            match self.arrivals.try_recv() {
                Ok(message) => {
                    self.take(message);
                    // The one thing awaited on the way: room for others on this thread.
                    tokio::task::coop::consume_budget().await;
                    continue;
                }
                Err(TryRecvError::Lagged(lost)) => {
                    self.lost(lost);
                    continue;
                }
                Err(TryRecvError::Closed) => return,
                Err(TryRecvError::Empty) => {}
            }
            tokio::select! {
                biased;
                arrived = self.arrivals.recv() => match arrived {
                    Ok(message) => self.take(message),
                    Err(RecvError::Lagged(lost)) => self.lost(lost),
                    Err(RecvError::Closed) => return,
                },
                Some(settle) = self.settles.recv() => self.settling.push((self.arrivals.len(), settle)),
                () = gone.cancelled() => return,
            }
        }
    }

    fn take(&mut self, arrived: Arrived) {
        for (before, _) in &mut self.settling {
            *before = before.saturating_sub(1);
        }
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
                deliver(&listeners, &Message { channel, payload });
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
        let message = Message { channel: Arc::from(&*arrived.channel), payload };
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

    fn settle(&mut self) {
        let mut waiting = Vec::new();
        for (before, settle) in self.settling.drain(..) {
            if before == 0 {
                self.shared.subscriptions().settle(&settle.pattern);
                let _ = settle.done.send(());
            } else {
                waiting.push((before, settle));
            }
        }
        self.settling = waiting;
    }

    fn lost(&mut self, lost: u64) {
        self.repeats = None;
        for (before, _) in &mut self.settling {
            *before = before.saturating_sub(usize::try_from(lost).unwrap_or(usize::MAX));
        }
        let total = self.shared.lost.fetch_add(lost, Ordering::Relaxed) + lost;
        tracing::warn!(
            lost,
            total,
            "messages were lost: they came faster than they could be handed over; is something blocking the runtime?"
        );
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
