//! Calls in flight, and the bus's reader finding the one that a reply belongs to.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::value::RawValue;
use tokio::sync::{Notify, oneshot, watch};

use super::directory::member::Member;
use super::request_id::{RequestId, RequestIds};
use super::sessions::OpenSessions;
use crate::bus::{BusState, Deliver, Message};
use crate::number_map::NumberMap;
use crate::wire::{
    Batch, Fault, InstanceId, RawJson, ReadError, Reply, Status, beginning, is_batch, read_message,
};

/// How many progress updates wait for a call that doesn't look; beyond that the oldest goes.
const UNREAD_UPDATES: usize = 64;

/// How many parts the map of calls in flight has, each with a lock of its own.
const SHARDS: usize = 16;

/// How many calls a part of the map keeps room for when none is in flight.
const KEPT: usize = 64;

/// A final reply: the payload, or the failure. It is boxed because each call in flight has room for a reply.
pub(super) type FinalReply = Result<Option<RawJson>, Box<NoAnswer>>;

/// Why a call has no answer.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// The service replied with an error.
    Fault(Fault),
    /// The instance that the request was sent to is gone.
    Lost(InstanceId),
}

/// The calls in flight of one inbox, by request id.
///
/// Nothing waits here: the bus's reader looks a call up, hands its reply over, and goes on.
#[derive(Debug, Default)]
pub(super) struct Pending {
    ids: RequestIds,
    shards: [Mutex<PendingCalls>; SHARDS],
    sessions: OpenSessions,
}

#[derive(Debug, Default)]
struct PendingCalls {
    by_number: NumberMap<PendingCall>,
    is_closed: bool,
}

#[derive(Debug)]
struct PendingCall {
    answer: oneshot::Sender<FinalReply>,
    /// Whether progress has arrived, wanted or not.
    has_progress: bool,
    /// `None` if the call doesn't want progress.
    progress: Option<Arc<ProgressQueue>>,
    /// The instance that the request was sent to; `None` if it was sent to the service's own channel.
    instance: Option<Arc<Member>>,
}

impl Pending {
    /// Returns the number of the next request.
    pub(super) fn next_number(&self) -> u64 {
        self.ids.next()
    }

    /// Returns the id of the request that has the number.
    pub(super) fn id(&self, number: u64) -> RequestId {
        self.ids.id(number)
    }

    fn shard(&self, number: u64) -> &Mutex<PendingCalls> {
        &self.shards[usize::try_from(number % SHARDS as u64).unwrap_or_default()]
    }

    /// Adds a call. It stays until its final reply arrives, [`Pending::remove`] is called, or the bus is closed. In the last
    /// case the receiver returns an error.
    pub(super) fn add(
        &self,
        number: u64,
        progress: Option<Arc<ProgressQueue>>,
        instance: Option<Arc<Member>>,
    ) -> oneshot::Receiver<FinalReply> {
        let (answer, receiver) = oneshot::channel();
        let mut calls = self.shard(number).lock();
        if !calls.is_closed {
            calls.by_number.insert(number, PendingCall { answer, has_progress: false, progress, instance });
        }
        receiver
    }

    /// Removes a call; returns whether it was still waiting.
    pub(super) fn remove(&self, number: u64) -> bool {
        let mut calls = self.shard(number).lock();
        let removed = calls.by_number.remove(&number);
        if calls.by_number.is_empty() && calls.by_number.capacity() > KEPT {
            // A burst may have taken megabytes.
            calls.by_number.shrink_to(KEPT / 2);
        }
        drop(calls);
        removed.is_some()
    }

    /// Returns the open sessions of the inbox.
    pub(super) fn sessions(&self) -> &OpenSessions {
        &self.sessions
    }

    /// Ends all calls, later ones included.
    fn close(&self) {
        self.sessions.close();
        for shard in &self.shards {
            let mut calls = shard.lock();
            calls.is_closed = true;
            let ended = std::mem::take(&mut calls.by_number);
            drop(calls);
            drop(ended);
        }
    }

    /// Fails the calls to a run of an instance that has ended; returns how many there were.
    pub(super) fn lose(&self, instance: &Arc<Member>) -> usize {
        let is_lost =
            |call: &PendingCall| call.instance.as_ref().is_some_and(|called| Arc::ptr_eq(called, instance));
        let mut count = self.sessions.lose(instance);
        for shard in &self.shards {
            let lost: Vec<PendingCall> =
                shard.lock().by_number.extract_if(|_, call| is_lost(call)).map(|(_, call)| call).collect();
            count += lost.len();
            for call in lost {
                let _ = call.answer.send(Err(Box::new(NoAnswer::Lost(instance.id.clone()))));
            }
        }
        count
    }

    /// Returns whether progress or the final reply has arrived.
    pub(super) fn has_reply(&self, number: u64) -> bool {
        self.shard(number).lock().by_number.get(&number).is_none_or(|call| call.has_progress)
    }

    /// How many calls are in flight.
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().by_number.len()).sum::<usize>() + self.sessions.len()
    }

    fn take_reply(&self, message: &Bytes, reply: &Reply<'_>) {
        let Some(number) = reply.request_id.as_deref().and_then(|id| self.ids.number(id)) else {
            tracing::trace!("a reply without an id of ours is ignored");
            return;
        };
        if self.sessions.take_reply(number, message, reply) {
            return;
        }
        let payload = |part: Option<&RawValue>| part.map(|part| RawJson::slice_of(message, part));
        if reply.is_final {
            let Some(call) = self.shard(number).lock().by_number.remove(&number) else {
                tracing::trace!(
                    request_id = reply.request_id.as_deref(),
                    "a reply to no call in flight is ignored"
                );
                return;
            };
            let answer = if reply.status == Status::Error {
                Err(Box::new(NoAnswer::Fault(reply.fault())))
            } else {
                Ok(payload(reply.payload))
            };
            // The call may have been dropped meanwhile.
            let _ = call.answer.send(answer);
        } else {
            let progress = self.shard(number).lock().by_number.get_mut(&number).map(|call| {
                call.has_progress = true;
                call.progress.clone()
            });
            match progress {
                Some(Some(progress)) => progress.push(payload(reply.payload)),
                Some(None) => {}
                None => tracing::trace!(
                    request_id = reply.request_id.as_deref(),
                    "progress of no call in flight is ignored"
                ),
            }
        }
    }
}

/// Receives the messages of the inbox in the bus's reader.
pub(super) struct Inbox {
    pub(super) pending: Arc<Pending>,
    pub(super) bus_state: watch::Receiver<BusState>,
}

impl Drop for Inbox {
    /// A bus that is closed drops its receivers. Calls in flight then end here, so that none of them watches the bus.
    fn drop(&mut self) {
        if *self.bus_state.borrow() == BusState::Closed {
            self.pending.close();
        }
    }
}

impl Deliver for Inbox {
    fn deliver(&self, message: Message) {
        if !is_batch(&message.payload) {
            return self.take_reply(&message.payload);
        }
        match Batch::read(&message.payload) {
            Ok(batch) => {
                batch.messages.iter().for_each(|reply| self.take_reply(reply));
                if batch.dropped > 0 {
                    tracing::warn!(dropped = batch.dropped, "elements of a batch of replies were dropped");
                }
            }
            Err(error) => log_dropped(&message.payload, &error),
        }
    }
}

impl Inbox {
    fn take_reply(&self, message: &Bytes) {
        let read = read_message(message, |bytes, text| {
            let reply = Reply::read(text)?;
            self.pending.take_reply(bytes, &reply);
            Ok(())
        });
        if let Err(error) = read {
            log_dropped(message, &error);
        }
    }
}

fn log_dropped(message: &Bytes, error: &ReadError) {
    tracing::warn!(begins = %beginning(message), %error, "message in the inbox dropped: not a reply");
}

/// Progress updates that a call hasn't read yet.
#[derive(Debug, Default)]
pub(super) struct ProgressQueue {
    unread: Mutex<VecDeque<RawJson>>,
    dropped: AtomicU64,
    arrived: Notify,
}

impl ProgressQueue {
    /// Waits until something may be there to pop.
    pub(super) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    pub(super) fn pop(&self) -> Option<RawJson> {
        self.unread.lock().pop_front()
    }

    fn push(&self, payload: Option<RawJson>) {
        let full = {
            let mut unread = self.unread.lock();
            let full = unread.len() >= UNREAD_UPDATES;
            if full {
                unread.pop_front();
            }
            unread.push_back(payload.unwrap_or_else(RawJson::empty_object));
            full
        };
        if full {
            let dropped = self.dropped.fetch_add(1, Ordering::Relaxed) + 1;
            tracing::debug!(dropped, "the oldest unread progress update was dropped");
        }
        self.arrived.notify_one();
    }
}
