//! The open sessions of an inbox, and the bus's reader finding the one that a reply belongs to.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;

use super::directory::member::Member;
use crate::error::BusError;
use crate::number_map::NumberMap;
use crate::session::{Session, SessionError};
use crate::wire::Reply;

/// The open sessions of one inbox, by the number of the request that opened each.
#[derive(Debug, Default)]
pub(super) struct OpenSessions {
    by_number: Mutex<NumberMap<OpenSession>>,
    /// So that a reply to a call takes no lock while no session is open.
    count: AtomicUsize,
}

#[derive(Debug)]
struct OpenSession {
    session: Session,
    instance: Arc<Member>,
}

impl OpenSessions {
    pub(super) fn add(&self, number: u64, session: Session, instance: Arc<Member>) {
        self.by_number.lock().insert(number, OpenSession { session, instance });
        self.count.fetch_add(1, Ordering::Release);
    }

    pub(super) fn remove(&self, number: u64) {
        if self.by_number.lock().remove(&number).is_some() {
            self.count.fetch_sub(1, Ordering::Release);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Hands a reply to its session. Returns whether there is one.
    pub(super) fn take_reply(&self, number: u64, message: &Bytes, reply: &Reply<'_>) -> bool {
        if self.len() == 0 {
            return false;
        }
        let Some(session) = self.by_number.lock().get(&number).map(|open| open.session.clone()) else {
            return false;
        };
        match reply.session_message(message) {
            Ok(Some(message)) => session.receive(message),
            Ok(None) => {
                tracing::debug!(request_id = reply.request_id.as_deref(), "progress in a session is ignored");
            }
            Err(error) => session.fail(SessionError::Malformed { reason: error.to_string() }),
        }
        true
    }

    /// Ends the sessions with a run of an instance that has ended; returns how many there were.
    pub(super) fn lose(&self, instance: &Arc<Member>) -> usize {
        if self.len() == 0 {
            return 0;
        }
        let sessions = self.by_number.lock();
        let lost = sessions.values().filter(|open| Arc::ptr_eq(&open.instance, instance));
        let lost: Vec<Session> = lost.map(|open| open.session.clone()).collect();
        drop(sessions);
        for session in &lost {
            session.fail(SessionError::InstanceLost { instance: instance.id.clone() });
        }
        lost.len()
    }

    /// Ends all sessions, because the bus is closed.
    pub(super) fn close(&self) {
        let sessions: Vec<Session> =
            self.by_number.lock().values().map(|open| open.session.clone()).collect();
        for session in sessions {
            session.fail(SessionError::Bus(BusError::Closed));
        }
    }
}
