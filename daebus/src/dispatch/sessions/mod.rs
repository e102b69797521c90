//! Sessions: requests that stay open. Finds the session of each message from a caller.

mod ended;
mod run;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use daebus_caller::bus::Message;
use daebus_caller::session::{Session, SessionError, Transport, Window};
use daebus_caller::wire::{Fault, FaultCode, FromCaller, SessionAddress, read_message};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::ended::EndedSessions;
use self::run::SessionRun;
use super::HandlerLimits;
use super::cancellations::{Cancellations, RequestKey};
use super::refusals::{Reason, Refusals};
use crate::handler::{Core, Endpoint, Envelope};
use crate::runtime::Workers;

/// How many sessions may be open. Each holds a window of items and a task, and most of them wait; they are not among the
/// handlers that the service's limit of concurrent handlers counts.
const OPEN: usize = 1024;

/// The open sessions of a service.
#[derive(Clone)]
pub(super) struct Sessions(Arc<SessionTable>);

struct SessionTable {
    core: Arc<Core>,
    limits: HandlerLimits,
    refusals: Refusals,
    running: Cancellations,
    draining: CancellationToken,
    answering: TaskTracker,
    workers: Workers,
    by_key: Mutex<HashMap<RequestKey, Session>>,
    /// So that the bus's reader takes no lock while no session is open.
    open: AtomicUsize,
    ended: EndedSessions,
}

impl Sessions {
    pub(super) fn new(
        core: &Arc<Core>,
        limits: HandlerLimits,
        refusals: &Refusals,
        running: &Cancellations,
        (draining, answering): (&CancellationToken, &TaskTracker),
        workers: &Workers,
    ) -> Self {
        Self(Arc::new(SessionTable {
            core: Arc::clone(core),
            limits,
            refusals: refusals.clone(),
            running: running.clone(),
            draining: draining.clone(),
            answering: answering.clone(),
            workers: workers.clone(),
            by_key: Mutex::default(),
            open: AtomicUsize::new(0),
            ended: EndedSessions::default(),
        }))
    }

    /// Hands a message to its session in the bus's reader: credit bounds what a session holds, and the intake's queue could
    /// change the order. Returns whether the message has an open session.
    pub(super) fn deliver(&self, message: &Message) -> bool {
        if self.0.open.load(Ordering::Acquire) == 0 || !message.payload.starts_with(FromCaller::BEGINNING) {
            return false;
        }
        let Ok(Some(read)) = read_message(&message.payload, FromCaller::read) else { return false };
        self.receive(read, message.payload.len())
    }

    /// Takes a message of a session from the intake's queue. If the session is unknown, the message is answered once.
    pub(super) fn take_in(&self, envelope: &Envelope) {
        let Some(key) = self.0.running.keys().of(envelope) else { return };
        if let Ok(Some(read)) = read_message(envelope.raw.as_bytes(), FromCaller::read)
            && self.receive(read, envelope.raw.as_bytes().len())
        {
            return;
        }
        if self.0.ended.add(key) {
            let fault = Fault::new("session_unknown", "this instance has no such session");
            self.0.refusals.push(envelope, Reason::Failed(fault));
        }
    }

    /// Returns whether the message has an open session.
    fn receive(&self, read: FromCaller, bytes: usize) -> bool {
        let key = self.0.running.keys().key(&read.reply_to, read.request_id.as_str());
        let Some(session) = self.0.by_key.lock().get(&key).cloned() else { return false };
        let limit = self.0.limits.message_bytes;
        match read.message {
            _ if bytes > limit => {
                let reason = format!("the message has {bytes} bytes, and this service takes {limit}");
                session.fail(SessionError::Malformed { reason });
            }
            Ok(message) => session.receive(message),
            Err(error) => session.fail(SessionError::Malformed { reason: error.to_string() }),
        }
        true
    }

    /// Starts the handler of a request that opens a session.
    pub(super) fn open(&self, envelope: &Arc<Envelope>, action: &Arc<Endpoint>) -> Result<(), Reason> {
        let table = &self.0;
        let core = &table.core;
        let is_own = *envelope.channel != *core.service.as_str();
        let (Some(credit), Some(key), Some(request_id), true) =
            (envelope.session, table.running.keys().of(envelope), envelope.request_id.clone(), is_own)
        else {
            return Err(Reason::NeedsSession(action.definition.name));
        };
        let Some(channel) = table.refusals.reply_channel(envelope) else { return Ok(()) };
        let budget = envelope.timeout.unwrap_or(table.limits.timeout);
        let budget = budget.saturating_sub(envelope.received.elapsed());
        if budget.is_zero() {
            let fault = "the deadline passed before the handler could run";
            return Err(Reason::Failed(Fault::reserved(FaultCode::DeadlineExceeded, fault)));
        }
        let address = envelope.reply_address(channel);
        let session = Session::new(
            Transport {
                outbox: core.outbox.clone(),
                channel: Arc::clone(&address.channel),
                batching: address.batching,
                address: SessionAddress::Caller { request_id, instance: core.identity.id() },
            },
            Window::default(),
        );
        session.grant(credit);
        {
            let mut by_key = table.by_key.lock();
            if by_key.len() >= OPEN {
                return Err(Reason::Overloaded);
            }
            if by_key.contains_key(&key) {
                let fault = "a session with this request id is open";
                return Err(Reason::Failed(Fault::reserved(FaultCode::InvalidPayload, fault)));
            }
            by_key.insert(key, session.clone());
        }
        table.open.fetch_add(1, Ordering::Release);
        let run = SessionRun {
            entry: table.running.enter(Some(key)),
            core: Arc::clone(core),
            session,
            action: Arc::clone(action),
            envelope: Arc::clone(envelope),
            address,
            opening: budget,
            idle: action.definition.timeout.unwrap_or(table.limits.timeout),
            draining: table.draining.clone(),
        };
        let open = OpenSession { sessions: self.clone(), key };
        let answering = table.answering.token();
        table.workers.spawn(async move {
            run.run().await;
            drop((open, answering));
        });
        Ok(())
    }
}

/// Removes a session when it has ended.
struct OpenSession {
    sessions: Sessions,
    key: RequestKey,
}

impl Drop for OpenSession {
    fn drop(&mut self) {
        let table = &self.sessions.0;
        // Added first: a message that arrives meanwhile must not get another final reply.
        table.ended.add(self.key);
        table.by_key.lock().remove(&self.key);
        table.open.fetch_sub(1, Ordering::Release);
    }
}
