//! Replies to requests that are not run: one bounded queue, and one worker that publishes it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use daebus_caller::bus::QueueLimits;
use daebus_caller::wire::{Fault, FaultCode, RawJson, beginning};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::cancellations::EndedBy;
use super::episode::{Episode, Incident};
use crate::handler::{Core, Envelope, Replier, ReplyAddress, session_required};
use crate::introspection::Load;
use crate::runtime::Workers;

/// How many refusals are published at once: enough to keep a connection busy, and few enough that handlers' replies find
/// places in the outbox.
const IN_FLIGHT: usize = 256;

/// An episode of refusals ends when there was none for this long. Shorter, and a service at its limit would log without
/// end.
pub(super) const QUIET: Duration = Duration::from_secs(1);

/// What a refusal takes beside its texts, rounded up.
const OVERHEAD: usize = 160;

/// Why a request is not run.
#[derive(Debug)]
pub(super) enum Reason {
    Overloaded,
    ShuttingDown,
    /// The instance may have been taken for dead when the request arrived.
    Lapsed,
    /// By its caller.
    Cancelled,
    /// Answered only if no other process can have the action.
    UnknownAction(String),
    /// The action takes or returns a stream, and the request opens no session.
    NeedsSession(&'static str),
    Failed(Fault),
}

impl Reason {
    fn code(&self) -> FaultCode {
        match self {
            Self::Overloaded | Self::Lapsed => FaultCode::Overloaded,
            Self::ShuttingDown => FaultCode::ShuttingDown,
            Self::Cancelled => FaultCode::Cancelled,
            Self::UnknownAction(_) => FaultCode::UnknownAction,
            Self::NeedsSession(_) => FaultCode::InvalidPayload,
            Self::Failed(fault) => fault.reserved_code().unwrap_or(FaultCode::Internal),
        }
    }
}

/// [`Refusals::push`], or [`Refusals::push_claimed`] for a request that this instance has claimed.
pub(super) type PushRefusal = fn(&Refusals, &Envelope, Reason);

/// Answers requests that are not run.
#[derive(Clone)]
pub(super) struct Refusals(Arc<RefusalQueue>);

struct RefusalQueue {
    core: Arc<Core>,
    limits: QueueLimits,
    workers: Workers,
    drained: CancellationToken,
    /// Another process may run the requests that this one refuses while it stops.
    has_successor: AtomicBool,
    waiting: Mutex<WaitingRefusals>,
    arrived: Notify,
}

#[derive(Default)]
struct WaitingRefusals {
    refusals: VecDeque<RefusedRequest>,
    bytes: usize,
    has_worker: bool,
    episode: Episode,
    /// Requests that were not run since the service started, by the code of their refusal.
    refused: BTreeMap<&'static str, u64>,
    /// Refusals that found the queue full since then.
    dropped: u64,
}

#[derive(Debug)]
struct RefusedRequest {
    /// Its request id is a copy, since a slice would keep the whole request.
    address: ReplyAddress,
    received: Instant,
    reason: Reason,
    /// No other instance answers the request.
    is_sole: bool,
}

impl RefusedRequest {
    fn size(&self) -> usize {
        let text = match &self.reason {
            Reason::Overloaded
            | Reason::ShuttingDown
            | Reason::Lapsed
            | Reason::Cancelled
            | Reason::NeedsSession(_) => 0,
            Reason::UnknownAction(action) => action.len(),
            Reason::Failed(fault) => fault.error().len(),
        };
        let ReplyAddress { channel, request_id, .. } = &self.address;
        OVERHEAD + channel.len() + request_id.as_ref().map_or(0, |id| id.as_str().len()) + text
    }
}

impl Refusals {
    /// `workers` run the worker; after `drained` it ends as soon as the queue is empty.
    pub(super) fn new(
        core: &Arc<Core>,
        limits: QueueLimits,
        workers: Workers,
        drained: CancellationToken,
    ) -> Self {
        Self(Arc::new(RefusalQueue {
            core: Arc::clone(core),
            limits,
            workers,
            drained,
            has_successor: AtomicBool::new(false),
            waiting: Mutex::default(),
            arrived: Notify::new(),
        }))
    }

    /// From now on `shutting_down` doesn't prove that a request is not run: another process is subscribed as well.
    pub(super) fn expect_successor(&self) {
        self.0.has_successor.store(true, Ordering::Release);
    }

    /// Queues the refusal of a request. Doesn't wait: the bus's reader calls this if the intake is full.
    pub(super) fn push(&self, envelope: &Envelope, reason: Reason) {
        let is_sole = *envelope.channel != *self.0.core.service.as_str();
        self.queue(envelope, reason, is_sole);
    }

    /// Queues the refusal of a request that this instance has claimed.
    pub(super) fn push_claimed(&self, envelope: &Envelope, reason: Reason) {
        self.queue(envelope, reason, true);
    }

    fn queue(&self, envelope: &Envelope, reason: Reason, is_sole: bool) {
        let inner = &self.0;
        let is_overload = matches!(reason, Reason::Overloaded);
        let code = reason.code().as_str();
        let refusal = self.reply_channel(envelope).map(|channel| RefusedRequest {
            address: ReplyAddress {
                request_id: envelope.request_id.as_ref().map(RawJson::detached),
                ..envelope.reply_address(channel)
            },
            received: envelope.received,
            reason,
            is_sole,
        });
        let mut waiting = inner.waiting.lock();
        *waiting.refused.entry(code).or_default() += 1;
        let mut begins = false;
        if is_overload {
            begins = waiting.episode.overloaded == 0;
            waiting.episode.overloaded += 1;
        }
        let mut is_full = false;
        if let Some(refusal) = refusal {
            let size = refusal.size();
            if waiting.refusals.len() < inner.limits.messages && waiting.bytes + size <= inner.limits.bytes {
                waiting.bytes += size;
                waiting.refusals.push_back(refusal);
            } else {
                is_full = waiting.episode.dropped == 0;
                waiting.episode.dropped += 1;
                waiting.dropped += 1;
            }
        }
        self.wake_worker(waiting);
        let service = inner.core.service.as_str();
        if begins {
            warn!(service, "too many requests are waiting, further ones are refused with `overloaded`");
        }
        if is_full {
            let limit = inner.limits.messages;
            warn!(service, limit, "the refusal queue is full; further requests get no reply");
        }
    }

    /// Returns what this queue adds to the service's load.
    pub(super) fn load(&self) -> Load {
        let waiting = self.0.waiting.lock();
        Load {
            refusals: waiting.refusals.len(),
            refused: waiting.refused.clone(),
            refusals_dropped: waiting.dropped,
            ..Load::default()
        }
    }

    /// Counts an incident of the current episode. Returns whether it is the first of its kind, which the caller logs.
    pub(super) fn count(&self, incident: Incident) -> bool {
        let mut waiting = self.0.waiting.lock();
        let episode = &mut waiting.episode;
        let count = match incident {
            Incident::Unreadable => &mut episode.unreadable,
            Incident::Oversized => &mut episode.oversized,
            Incident::Unanswerable => &mut episode.unanswerable,
        };
        *count += 1;
        let is_first = *count == 1;
        self.wake_worker(waiting);
        is_first
    }

    /// Returns the channel that the replies to a request go to. `None` if the request is one-way, or if nothing can be
    /// published to the channel that it names, which is counted.
    pub(super) fn reply_channel(&self, envelope: &Envelope) -> Option<Arc<str>> {
        let service = self.0.core.service.as_str();
        envelope.reply_channel(service).unwrap_or_else(|error| {
            if self.count(Incident::Unanswerable) {
                let begins = beginning(envelope.raw.as_bytes());
                warn!(service, %error, begins, "request without a reply: invalid channel; further ones are counted");
            }
            None
        })
    }

    /// Returns the replier of a request; `None` as for [`reply_channel`](Self::reply_channel).
    pub(super) fn replier(&self, envelope: &Envelope) -> Option<Arc<Replier>> {
        let core = &self.0.core;
        let address = envelope.reply_address(self.reply_channel(envelope)?);
        Some(Arc::new(Replier::new(address, core.identity.id(), core.outbox.clone())))
    }

    /// Starts the worker, or wakes it.
    fn wake_worker(&self, mut waiting: MutexGuard<'_, WaitingRefusals>) {
        let starts = !std::mem::replace(&mut waiting.has_worker, true);
        drop(waiting);
        if starts {
            self.0.workers.spawn(self.clone().work());
        } else {
            self.0.arrived.notify_one();
        }
    }

    async fn work(self) {
        let mut in_flight = FuturesUnordered::new();
        loop {
            while in_flight.len() < IN_FLIGHT
                && let Some(refusal) = self.pop()
            {
                in_flight.push(self.send(refusal));
            }
            if !in_flight.is_empty() {
                // A slow refusal doesn't hold up those that arrive meanwhile.
                tokio::select! {
                    _ = in_flight.next() => {}
                    () = self.0.arrived.notified(), if in_flight.len() < IN_FLIGHT => {}
                }
                continue;
            }
            let arrived = timeout(QUIET, self.0.arrived.notified());
            let is_over = !matches!(self.0.drained.run_until_cancelled(arrived).await, Some(Ok(())));
            if is_over && let Some(episode) = self.end() {
                if episode != Episode::default() {
                    episode.log(self.0.core.service.as_str());
                }
                return;
            }
        }
    }

    fn pop(&self) -> Option<RefusedRequest> {
        let mut waiting = self.0.waiting.lock();
        let refusal = waiting.refusals.pop_front()?;
        waiting.bytes -= refusal.size();
        if waiting.refusals.is_empty() {
            // A burst may have taken tens of megabytes.
            waiting.refusals = VecDeque::new();
        }
        Some(refusal)
    }

    /// Ends the worker unless a refusal waits.
    fn end(&self) -> Option<Episode> {
        let mut waiting = self.0.waiting.lock();
        if !waiting.refusals.is_empty() {
            return None;
        }
        waiting.has_worker = false;
        Some(std::mem::take(&mut waiting.episode))
    }

    async fn send(&self, refusal: RefusedRequest) {
        let core = &self.0.core;
        let service = core.service.as_str();
        let RefusedRequest { address, received, reason, is_sole } = refusal;
        let replier = Replier::new(address, core.identity.id(), core.outbox.clone());
        let fault = match reason {
            Reason::Failed(fault) => {
                return self.sent(&replier, replier.finish(Err(&fault)).await);
            }
            Reason::Cancelled => {
                let fault = EndedBy::Caller.fault(service);
                return self.sent(&replier, replier.finish(Err(&fault)).await);
            }
            Reason::Overloaded => {
                let text = format!("{service} has too much to do; the request was not run");
                Fault::reserved(FaultCode::Overloaded, text)
            }
            Reason::ShuttingDown => {
                // Otherwise another process may run the request, and the caller must not send it again.
                let is_refused = is_sole
                    || !self.0.has_successor.load(Ordering::Acquire)
                        && matches!(self.subscribers(received).await, Ok(Some(0 | 1)));
                let text = format!("{service} is shutting down; the request was not run");
                let fault = Fault::reserved(FaultCode::ShuttingDown, text);
                if !is_refused {
                    return self.sent(&replier, replier.finish(Err(&fault)).await);
                }
                fault
            }
            Reason::Lapsed => {
                let text = format!("this instance of {service} was disconnected; the request was not run");
                Fault::reserved(FaultCode::Overloaded, text)
            }
            Reason::NeedsSession(action) => session_required(action),
            Reason::UnknownAction(action) => {
                let subscribers = if is_sole { Ok(Some(1)) } else { self.subscribers(received).await };
                debug!(service, action, ?subscribers, "no handler for this action");
                match subscribers {
                    Ok(Some(1)) => {}
                    // Another process may have the action.
                    Ok(_) => return,
                    Err(error) => return self.sent(&replier, Err(error)),
                }
                Fault::reserved(FaultCode::UnknownAction, format!("{service} has no action {action:?}"))
            }
        };
        self.sent(&replier, replier.refuse(&fault).await);
    }

    /// Returns the number of subscribers of the service's channel at `since` or later, this process included until it has
    /// left. In a Redis Cluster it is unknown.
    async fn subscribers(&self, since: Instant) -> Result<Option<u64>, daebus_caller::BusError> {
        let Core { bus, link, service, .. } = &*self.0.core;
        if bus.counts_are_partial() {
            return Ok(None);
        }
        link.subscribers(service, since).await.map(Some)
    }

    fn sent(&self, replier: &Replier, sent: Result<(), daebus_caller::BusError>) {
        if let Err(error) = sent {
            debug!(channel = replier.channel(), %error, "a refusal was not delivered");
            self.0.waiting.lock().episode.undelivered += 1;
        }
    }
}
