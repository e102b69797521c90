//! What one side of a session has received and sent.

use std::collections::VecDeque;
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::error::SessionError;
use super::flow::{ReceiveFlow, SendFlow, Window};
use super::limits::{BEAT, LOST};
use crate::wire::{Credit, Fault, RawJson, SessionMessage};

/// How long credit that isn't worth a message of its own waits: the sender of an item that is larger than the window waits
/// until all items before it are reported as taken.
const REPORT: Duration = Duration::from_millis(20);

/// What the application of one side takes from a session.
#[derive(Debug, Clone)]
pub enum Received {
    /// An item of the peer's stream.
    Item(RawJson),
    /// A question of a workflow.
    Ask {
        /// Its number.
        ask: u64,
        /// The question.
        question: RawJson,
    },
    /// The end of the peer's stream; at the caller the final reply.
    End(Result<Option<RawJson>, Fault>),
    /// The session has ended before its final reply.
    Failed(SessionError),
}

/// What the heartbeat does next.
pub(super) enum Due {
    /// Nothing more.
    Over,
    /// Ends the session.
    Failed(SessionError),
    /// Sends the credit.
    Credit,
    /// Waits.
    Nothing(Instant),
}

/// What one side of a session has received and sent.
#[derive(Debug)]
pub(super) struct State {
    pub(super) send: SendFlow,
    receive: ReceiveFlow,
    /// Items, and at most one question.
    waiting: VecDeque<Received>,
    /// The end of the peer's stream, which is taken after the items.
    end: Option<Received>,
    failure: Option<SessionError>,
    reader: Option<Waker>,
    questions: Questions,
    is_opened: bool,
    /// The end of this side's stream, which is repeated since it may get lost.
    pub(super) sent_end: Option<SessionMessage>,
    last_sent: Instant,
    last_received: Instant,
    /// Since when taken items are not reported.
    unreported: Option<Instant>,
    idle_limit: Option<Duration>,
    /// Since when the application waits for an item that the peer may send.
    idle_since: Instant,
}

/// The questions of a workflow.
#[derive(Debug, Default)]
struct Questions {
    /// At the service, the number of the last question asked; at the caller, of the last one received.
    last: u64,
    is_open: bool,
    /// The number of the last question that has an answer.
    answered: u64,
    answer: Option<RawJson>,
}

impl State {
    pub(super) fn new(window: Window) -> Self {
        let now = Instant::now();
        Self {
            send: SendFlow::default(),
            receive: ReceiveFlow::new(window),
            waiting: VecDeque::new(),
            end: None,
            failure: None,
            reader: None,
            questions: Questions::default(),
            is_opened: false,
            sent_end: None,
            last_sent: now,
            last_received: now,
            unreported: None,
            idle_limit: None,
            idle_since: now,
        }
    }

    pub(super) fn limit_idle(&mut self, limit: Option<Duration>) {
        self.idle_limit = limit;
    }

    /// Begins to count the time without messages.
    pub(super) fn start(&mut self) {
        let now = Instant::now();
        (self.last_sent, self.last_received, self.idle_since) = (now, now, now);
    }

    /// Takes a message in. Returns the waker of the task that waits for items.
    pub(super) fn receive(&mut self, message: SessionMessage) -> Option<Waker> {
        if self.failure.is_some() {
            return None;
        }
        self.is_opened = true;
        self.last_received = Instant::now();
        match self.received(message) {
            Ok(()) => self.reader.take(),
            Err(error) => self.fail(error),
        }
    }

    fn received(&mut self, message: SessionMessage) -> Result<(), SessionError> {
        match message {
            SessionMessage::Item { seq, payload } => {
                if self.end.is_some() {
                    // The peer chooses the number.
                    return Err(SessionError::Gap { expected: seq.saturating_sub(1), received: seq });
                }
                self.receive.receive(seq, payload.as_str().len() as u64)?;
                self.idle_since = self.last_received;
                self.waiting.push_back(Received::Item(owned(payload)));
            }
            SessionMessage::Credit(credit) => self.send.grant(credit),
            SessionMessage::Ask { ask, payload } => {
                if ask <= self.questions.last {
                    let reason = format!("question {ask} after question {}", self.questions.last);
                    return Err(SessionError::Malformed { reason });
                }
                (self.questions.last, self.questions.is_open) = (ask, true);
                self.idle_since = self.last_received;
                // The service has stopped waiting for the answer to an earlier one.
                self.waiting.retain(|received| !matches!(received, Received::Ask { .. }));
                self.waiting.push_back(Received::Ask { ask, question: owned(payload) });
            }
            SessionMessage::Answer { ask, payload } => self.questions.answer(ask, payload)?,
            SessionMessage::End { seq, error } => {
                if let Some(fault) = error {
                    // The caller has found an error, or its application has: there are no more items either way.
                    let is_of_session = SessionError::is_reported_by(&fault);
                    if is_of_session {
                        return Err(SessionError::Peer(fault));
                    }
                    self.end.get_or_insert(Received::End(Err(fault)));
                } else {
                    // A repeated one changes nothing.
                    self.receive.end(seq)?;
                    self.end.get_or_insert(Received::End(Ok(None)));
                }
            }
            SessionMessage::Final { seq, outcome } => {
                // Without a number it is the error of a service that doesn't have the session.
                if outcome.is_ok() {
                    self.receive.end(seq.unwrap_or_default())?;
                }
                self.end.get_or_insert(Received::End(outcome));
                self.failure.get_or_insert(SessionError::Over);
            }
        }
        Ok(())
    }

    /// Ends the session unless it is over. Returns the waker of the task that waits for items.
    pub(super) fn fail(&mut self, error: SessionError) -> Option<Waker> {
        self.failure.get_or_insert(error);
        self.is_opened = true;
        self.reader.take()
    }

    /// Returns what the application takes next: items, then the end of the stream or the error of the session.
    pub(super) fn take(&mut self) -> Option<Received> {
        if let Some(received) = self.waiting.pop_front() {
            if let Received::Item(item) = &received {
                self.receive.take(item.as_str().len() as u64);
                let now = Instant::now();
                self.unreported.get_or_insert(now);
                self.idle_since = now;
            }
            return Some(received);
        }
        self.end.clone().or_else(|| self.failure.clone().map(Received::Failed))
    }

    pub(super) fn wait(&mut self, context: &Context<'_>) {
        self.reader = Some(context.waker().clone());
    }

    pub(super) fn is_due(&self) -> bool {
        // The first report starts the time until it is sent.
        self.receive.is_due() || self.unreported.is_some()
    }

    pub(super) fn is_opened(&self) -> bool {
        self.is_opened
    }

    pub(super) fn refusal(&self) -> Option<Fault> {
        match &self.end {
            Some(Received::End(Err(fault))) if self.waiting.is_empty() && fault.is_refused() => {
                Some(fault.clone())
            }
            _ => None,
        }
    }

    pub(super) fn failure(&self) -> Option<&SessionError> {
        self.failure.as_ref()
    }

    pub(super) fn alive(&self) -> Result<(), SessionError> {
        self.failure.clone().map_or(Ok(()), Err)
    }

    pub(super) fn may_send(&self, bytes: u64) -> Result<bool, SessionError> {
        self.alive()?;
        Ok(self.send.may_send(bytes))
    }

    pub(super) fn report(&mut self) -> Credit {
        self.unreported = None;
        self.receive.report()
    }

    pub(super) fn has_sent(&mut self) {
        self.last_sent = Instant::now();
    }

    /// Opens a question, and returns its number.
    pub(super) fn ask(&mut self) -> Result<u64, SessionError> {
        self.alive()?;
        self.questions.last += 1;
        self.questions.is_open = true;
        self.questions.answer = None;
        Ok(self.questions.last)
    }

    pub(super) fn take_answer(&mut self) -> Result<Option<RawJson>, SessionError> {
        match self.questions.answer.take() {
            Some(answer) => Ok(Some(answer)),
            None => self.alive().map(|()| None),
        }
    }

    pub(super) fn close_question(&mut self) {
        self.questions.is_open = false;
        self.questions.answer = None;
    }

    pub(super) fn is_open_question(&self, ask: u64) -> bool {
        self.failure.is_none() && self.questions.last == ask
    }

    /// Returns what the heartbeat does at `now`.
    pub(super) fn due(&self, now: Instant) -> Due {
        if self.failure.is_some() {
            return Due::Over;
        }
        let lost = self.last_received + LOST;
        if now >= lost {
            return Due::Failed(SessionError::Lost { after: LOST });
        }
        let idle = self.idle();
        if let Some((limit, at)) = idle
            && now >= at
        {
            return Due::Failed(SessionError::Idle { after: limit });
        }
        let report = self.unreported.filter(|_| self.receive.is_unreported()).map(|since| since + REPORT);
        let beat = self.last_sent + BEAT;
        let credit = report.map_or(beat, |report| report.min(beat));
        if now >= credit || self.receive.is_due() {
            return Due::Credit;
        }
        let wait = lost.min(credit);
        Due::Nothing(idle.map_or(wait, |(_, at)| wait.min(at)))
    }

    /// Returns the idle limit and when it has passed, if the peer may send an item and the application waits for one.
    fn idle(&self) -> Option<(Duration, Instant)> {
        let limit = self.idle_limit?;
        let is_waiting = self.waiting.is_empty() && self.end.is_none() && self.receive.has_credit();
        is_waiting.then_some(())?;
        Some((limit, self.idle_since.checked_add(limit)?))
    }
}

impl Questions {
    /// Takes an answer in. One that arrives after the question's limit is ignored.
    fn answer(&mut self, ask: u64, payload: RawJson) -> Result<(), SessionError> {
        if ask == 0 || ask > self.last {
            let reason = format!("an answer to question {ask}, which was not asked");
            return Err(SessionError::Malformed { reason });
        }
        if ask == self.answered {
            return Err(SessionError::AnsweredTwice { ask });
        }
        if ask == self.last && self.is_open {
            self.answered = ask;
            self.answer = Some(owned(payload));
        }
        Ok(())
    }
}

/// Copies a payload, since a slice would keep the whole batch that it arrived in, which the window doesn't count.
#[allow(clippy::needless_pass_by_value)]
fn owned(payload: RawJson) -> RawJson {
    RawJson::whole(&Bytes::copy_from_slice(payload.as_bytes()))
}
