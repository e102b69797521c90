//! The `$cancel`s of calls that ended without an answer: one bounded queue, and one worker that publishes it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::request_id::RequestId;
use crate::bus::Outbox;

/// How long a `$cancel` waits for a bus that is away. After that, the budget of its request ends the work.
const WITHIN: Duration = Duration::from_secs(30);

/// How many `$cancel`s may wait, some 100 bytes each. Further requests are ended by their budgets.
const WAITING: usize = 16_384;

/// How many are published at once: half of what the outbox allows, so that requests find places.
const IN_FLIGHT: usize = 512;

/// How long `$cancel`s are published after the last caller was dropped, since they keep the bus open.
const LAST: Duration = Duration::from_secs(1);

/// Publishes the `$cancel`s of one inbox.
#[derive(Debug)]
pub(super) struct Cancels {
    queue: Arc<CancelQueue>,
    end: CancellationToken,
}

#[derive(Debug, Default)]
struct CancelQueue {
    waiting: Mutex<WaitingCancels>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct WaitingCancels {
    cancels: VecDeque<Cancel>,
    has_worker: bool,
    /// Dropped since the queue was empty.
    dropped: u64,
}

#[derive(Debug)]
struct Cancel {
    channel: Arc<str>,
    service: Arc<str>,
    request_id: RequestId,
    deadline: Instant,
}

impl Cancels {
    pub(super) fn new() -> Self {
        Self { queue: Arc::default(), end: CancellationToken::new() }
    }

    /// Queues the `$cancel` of a request. Doesn't wait. Outside of a runtime nothing is sent.
    pub(super) fn push(
        &self,
        outbox: &Outbox,
        inbox: &Arc<str>,
        (channel, service): (&str, &str),
        request_id: RequestId,
    ) {
        let Ok(runtime) = Handle::try_current() else { return };
        let mut waiting = self.queue.waiting.lock();
        if waiting.cancels.len() >= WAITING {
            waiting.dropped += 1;
            let is_first = waiting.dropped == 1;
            drop(waiting);
            if is_first {
                tracing::warn!(limit = WAITING, "too many calls wait to be cancelled, further ones are not");
            }
            return;
        }
        let deadline = Instant::now() + WITHIN;
        waiting.cancels.push_back(Cancel {
            channel: channel.into(),
            service: service.into(),
            request_id,
            deadline,
        });
        let starts = !std::mem::replace(&mut waiting.has_worker, true);
        drop(waiting);
        if !starts {
            return self.queue.arrived.notify_one();
        }
        let worker = CancelWorker {
            queue: Arc::clone(&self.queue),
            outbox: outbox.clone(),
            inbox: Arc::clone(inbox),
            has_ended: AtomicBool::new(false),
        };
        let end = self.end.clone();
        runtime.spawn(async move {
            tokio::select! {
                () = worker.work() => {}
                () = async { end.cancelled().await; sleep(LAST).await } => {}
            }
        });
    }
}

impl Drop for Cancels {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

struct CancelWorker {
    queue: Arc<CancelQueue>,
    outbox: Outbox,
    inbox: Arc<str>,
    has_ended: AtomicBool,
}

impl CancelWorker {
    async fn work(&self) {
        let mut in_flight = FuturesUnordered::new();
        loop {
            while in_flight.len() < IN_FLIGHT
                && let Some(cancel) = self.pop()
            {
                in_flight.push(self.send(cancel));
            }
            if in_flight.is_empty() {
                if self.end() {
                    return;
                }
                continue;
            }
            // One that waits for a silent server doesn't hold up those that arrive meanwhile.
            tokio::select! {
                _ = in_flight.next() => {}
                () = self.queue.arrived.notified(), if in_flight.len() < IN_FLIGHT => {}
            }
        }
    }

    fn pop(&self) -> Option<Cancel> {
        self.queue.waiting.lock().cancels.pop_front()
    }

    /// Ends the worker unless a `$cancel` waits.
    fn end(&self) -> bool {
        let mut waiting = self.queue.waiting.lock();
        if !waiting.cancels.is_empty() {
            return false;
        }
        let dropped = std::mem::take(&mut *waiting).dropped;
        self.has_ended.store(true, Ordering::Relaxed);
        drop(waiting);
        if dropped > 0 {
            tracing::warn!(
                dropped,
                "the $cancel queue has room again; dropped requests ran until their deadlines"
            );
        }
        true
    }

    async fn send(&self, Cancel { channel, service, request_id, deadline }: Cancel) {
        let message = serde_json::json!({
            "action": "$cancel",
            "payload": {"request_id": request_id.as_str(), "reply_to": *self.inbox},
            "service": *service,
        });
        if let Err(error) = self.outbox.progress(&channel, message.to_string().into(), deadline).await {
            tracing::debug!(%service, %request_id, "a call could not be cancelled: {error}");
        }
    }
}

impl Drop for CancelWorker {
    /// Lets another worker start if the runtime of this one ends: others use the queue as well.
    fn drop(&mut self) {
        if !*self.has_ended.get_mut() {
            self.queue.waiting.lock().has_worker = false;
        }
    }
}
