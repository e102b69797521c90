//! An open session: the mechanism that the caller and the service share.
//!
//! `flow` is flow control as a state machine, `state` everything that one side has received and sent, `transport` sends
//! messages, `heartbeat` repeats the credit and ends a session whose peer is silent.

mod error;
mod flow;
mod heartbeat;
mod limits;
mod state;
#[cfg(test)]
mod tests;
mod transport;

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

pub use self::error::SessionError;
pub use self::flow::Window;
use self::limits::{BEAT, LOST};
pub use self::state::Received;
use self::state::State;
pub use self::transport::Transport;
use crate::error::BusError;
use crate::wire::{Credit, Fault, RawJson, SessionMessage};

/// One side of an open session. Clones share it.
#[derive(Debug, Clone)]
pub struct Session(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    transport: Transport,
    state: Mutex<State>,
    /// Wakes the task that sends items.
    credited: Notify,
    /// Wakes the task that waits for an answer.
    answered: Notify,
    /// Wakes the task that waits for the first message of the peer.
    opened: Notify,
    /// Wakes the heartbeat.
    due: Notify,
}

impl Session {
    /// Creates a side of a session. It accepts items within `window`.
    pub fn new(transport: Transport, window: Window) -> Self {
        Self(Arc::new(Shared {
            transport,
            state: Mutex::new(State::new(window)),
            credited: Notify::new(),
            answered: Notify::new(),
            opened: Notify::new(),
            due: Notify::new(),
        }))
    }

    /// Ends the session with [`SessionError::Idle`] if no item arrives for that long although the peer has credit and the
    /// application has taken every item.
    pub fn limit_idle(&self, limit: Option<Duration>) {
        self.0.state.lock().limit_idle(limit);
    }

    /// Applies the credit that the request which opens the session has.
    pub fn grant(&self, credit: Credit) {
        self.0.state.lock().send.grant(credit);
        self.0.credited.notify_one();
    }

    /// Returns the credit to send with the request that opens the session.
    pub fn first_credit(&self) -> Credit {
        self.0.state.lock().report()
    }

    /// Receives a message. Called in the bus's reader: doesn't wait.
    pub fn receive(&self, message: SessionMessage) {
        let waker = self.0.state.lock().receive(message);
        self.changed(waker);
    }

    /// Ends the session with an error, unless it is over.
    pub fn fail(&self, error: SessionError) {
        let waker = self.0.state.lock().fail(error);
        self.changed(waker);
    }

    fn changed(&self, waker: Option<std::task::Waker>) {
        if let Some(waker) = waker {
            waker.wake();
        }
        self.0.credited.notify_one();
        self.0.answered.notify_one();
        self.0.opened.notify_one();
        self.0.due.notify_one();
    }

    /// Sends the request that opens the session. Returns whether it may have a receiver.
    ///
    /// # Errors
    ///
    /// If the request was certainly not sent.
    pub async fn request(&self, request: bytes::Bytes, deadline: Instant) -> Result<bool, BusError> {
        self.0.transport.publish(deadline, || request).await
    }

    /// Waits for the first message of the peer, or the error of the session.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect.
    pub async fn opened(&self) {
        loop {
            let opened = self.0.opened.notified();
            if self.0.state.lock().is_opened() {
                return;
            }
            opened.await;
        }
    }

    /// Returns the final reply if it has arrived and no item or question is left before it.
    pub fn refusal(&self) -> Option<Fault> {
        self.0.state.lock().refusal()
    }

    /// Returns what has arrived next: an item, a question, the end or the error. The end and the error are returned again
    /// by every later call.
    pub fn poll_received(&self, context: &Context<'_>) -> Poll<Received> {
        let mut state = self.0.state.lock();
        let Some(received) = state.take() else {
            state.wait(context);
            return Poll::Pending;
        };
        let is_due = state.is_due();
        drop(state);
        if is_due {
            self.0.due.notify_one();
        }
        Poll::Ready(received)
    }

    /// Sends an item, when the peer has granted credit for it. One task at a time sends items.
    ///
    /// # Errors
    ///
    /// Returns the error that has ended the session.
    pub async fn send_item(&self, payload: RawJson) -> Result<(), SessionError> {
        let bytes = payload.as_str().len() as u64;
        loop {
            let credited = self.0.credited.notified();
            if self.0.state.lock().may_send(bytes)? {
                break;
            }
            credited.await;
        }
        self.publish(Instant::now() + LOST, true, |state| {
            let seq = state.send.send(bytes);
            SessionMessage::Item { seq, payload }
        })
        .await
    }

    /// Asks the caller a question, and waits for its answer until `deadline`. `None`: there was no answer in time. One task
    /// at a time asks.
    ///
    /// # Errors
    ///
    /// Returns the error that has ended the session.
    pub async fn ask(&self, payload: RawJson, deadline: Instant) -> Result<Option<RawJson>, SessionError> {
        let ask = self.0.state.lock().ask()?;
        // An answer that arrives later than the question's limit, or after this future was dropped, is ignored.
        let _open = OpenQuestion(self);
        self.publish(deadline, true, |_| SessionMessage::Ask { ask, payload }).await?;
        let answer = async {
            loop {
                let answered = self.0.answered.notified();
                if let Some(answer) = self.0.state.lock().take_answer()? {
                    return Ok(answer);
                }
                answered.await;
            }
        };
        timeout_at(deadline, answer).await.ok().transpose()
    }

    /// Sends the answer to a question.
    ///
    /// # Errors
    ///
    /// Returns the error that has ended the session.
    pub async fn answer(&self, ask: u64, payload: RawJson) -> Result<(), SessionError> {
        self.0.state.lock().alive()?;
        self.publish(Instant::now() + LOST, true, |_| SessionMessage::Answer { ask, payload }).await
    }

    /// Returns whether a question is the last one that has arrived and the session is not over.
    pub fn is_open_question(&self, ask: u64) -> bool {
        self.0.state.lock().is_open_question(ask)
    }

    /// Sends the first credit, which opens the session for the caller.
    ///
    /// # Errors
    ///
    /// Returns the error that has ended the session.
    pub async fn accept(&self) -> Result<(), SessionError> {
        self.0.state.lock().start();
        self.publish(Instant::now() + LOST, false, |state| SessionMessage::Credit(state.report())).await
    }

    /// Begins to count the time without messages of the peer: the caller calls this when the session is open.
    pub fn start(&self) {
        self.0.state.lock().start();
    }

    /// Sends the end of the caller's stream. It is repeated with the heartbeat.
    ///
    /// # Errors
    ///
    /// Returns the error that has ended the session.
    pub async fn send_end(&self, error: Option<Fault>) -> Result<(), SessionError> {
        self.publish(Instant::now() + LOST, false, |state| {
            let end = SessionMessage::End { seq: state.send.sent(), error };
            state.sent_end = Some(end.clone());
            end
        })
        .await
    }

    /// Ends the session, and returns its final reply, which the caller of this method sends. Nothing is sent after it.
    pub fn finish(&self, outcome: Result<Option<RawJson>, Fault>) -> bytes::Bytes {
        let (seq, reader) = {
            let mut state = self.0.state.lock();
            let reader = state.fail(SessionError::Over);
            (state.send.sent(), reader)
        };
        self.changed(reader);
        self.0.transport.write(&SessionMessage::Final { seq: Some(seq), outcome })
    }

    /// Reports the error that ended the session to the instance.
    pub async fn report_failure(&self) {
        let (seq, error) = {
            let state = self.0.state.lock();
            (state.send.sent(), state.failure().map(SessionError::fault))
        };
        let end = SessionMessage::End { seq, error };
        let _ = self.0.transport.publish(Instant::now() + BEAT, || self.0.transport.write(&end)).await;
    }

    /// Returns the error that has ended the session.
    pub fn failure(&self) -> Option<SessionError> {
        self.0.state.lock().failure().cloned()
    }

    /// Publishes a message that is made at the moment when it is sent. If it `needs_receiver` and has none, the session
    /// ends.
    async fn publish(
        &self,
        deadline: Instant,
        needs_receiver: bool,
        message: impl FnOnce(&mut State) -> SessionMessage,
    ) -> Result<(), SessionError> {
        let transport = &self.0.transport;
        let write = || {
            let mut state = self.0.state.lock();
            let message = message(&mut state);
            state.has_sent();
            drop(state);
            transport.write(&message)
        };
        let error = match transport.publish(deadline, write).await {
            Ok(true) => return Ok(()),
            Ok(false) if !needs_receiver => return Ok(()),
            Ok(false) => SessionError::Gone,
            Err(error) => SessionError::Bus(error),
        };
        self.fail(error.clone());
        Err(self.failure().unwrap_or(error))
    }
}

/// Closes the question when it is dropped.
struct OpenQuestion<'a>(&'a Session);

impl Drop for OpenQuestion<'_> {
    fn drop(&mut self) {
        self.0.0.state.lock().close_question();
    }
}
