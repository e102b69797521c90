//! Opens a session with an instance, and with another one if the request was not delivered or was refused.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout_at};

use super::balance::Choice;
use super::directory::member::Member;
use super::opened::{OpenedSession, reported};
use super::request::OutgoingRequest;
use crate::backoff::Backoff;
use crate::bus::Batching;
use crate::error::{BusError, CallError};
use crate::session::{Session, SessionError, Transport, Window};
use crate::wire::{BATCH, RequestWriter, SessionAddress};

/// How many instances may refuse the request before the call fails, as for other calls.
const MAX_REFUSALS: usize = 3;

/// The delays before the instances are looked at again if none is known.
const FIRST_DELAY: Duration = Duration::from_millis(50);
const MAX_DELAY: Duration = Duration::from_millis(500);

impl OutgoingRequest {
    /// Opens a session. The deadline bounds the opening only.
    pub(super) async fn open(&self, window: Window) -> Result<OpenedSession, CallError> {
        self.directory.start();
        if !self.directory.was_read() {
            self.directory.first_reading(self.deadline).await;
        }
        let (mut tried, mut refusals) = (Vec::new(), 0);
        let mut refusal = None;
        loop {
            let Some(member) = self.instance(&tried, refusal.is_some()).await? else {
                return Err(refusal.unwrap_or_else(|| self.no_service()));
            };
            let error = match self.open_at(&member, window).await {
                Ok(session) => return Ok(session),
                Err(error) => error,
            };
            let is_named = matches!(self.choice, Choice::Named(_));
            match &error {
                // Suspended for a moment only, since it may be reconnecting.
                CallError::NoService { .. } if !is_named => {
                    self.directory.suspend(&member);
                    if self.deadline.remaining().is_zero() {
                        return Err(refusal.unwrap_or(error));
                    }
                }
                CallError::NoService { .. } => {
                    return Err(CallError::InstanceLost { instance: member.id.to_string() });
                }
                CallError::Service(fault) | CallError::Fault(fault) if fault.is_refused() && !is_named => {
                    refusals += 1;
                    if refusals == MAX_REFUSALS {
                        return Err(error);
                    }
                    if self.deadline.remaining().is_zero() {
                        return Err(error);
                    }
                    refusal = Some(error);
                    tried.push(member);
                }
                _ => return Err(error),
            }
        }
    }

    /// Selects an instance. If none can be selected, the instances are read once more, and again while the bus is recovering or
    /// the info of an instance exists.
    async fn instance(
        &self,
        tried: &[Arc<Member>],
        was_refused: bool,
    ) -> Result<Option<Arc<Member>>, CallError> {
        match &self.choice {
            Choice::Named(id) => {
                self.directory.reading(self.deadline).await;
                return match self.directory.find(id).await? {
                    Some(member) => Ok(Some(member)),
                    None => Err(CallError::InstanceLost { instance: id.to_string() }),
                };
            }
            Choice::Invalid(error) => return Err(CallError::Bus((**error).clone().into())),
            Choice::Any(_) | Choice::ByKey(_) => {}
        }
        let mut delays = Backoff::new(FIRST_DELAY, MAX_DELAY).without_jitter();
        let mut is_first = true;
        loop {
            if let Some(member) = self.select(tried) {
                return Ok(Some(member));
            }
            let delay = delays.next_delay();
            if was_refused || delay >= self.deadline.remaining() {
                return Ok(None);
            }
            let again = is_first || self.link.audience().is_recovering();
            if !again && !self.directory.has_instances().await {
                return Ok(None);
            }
            is_first = false;
            sleep(delay).await;
        }
    }

    async fn open_at(&self, member: &Arc<Member>, window: Window) -> Result<OpenedSession, CallError> {
        let Self { link, deadline, service, action, .. } = self;
        let inbox = link.inbox(*deadline).await?;
        let number = link.pending().next_number();
        let request_id = link.pending().id(number);
        let transport = Transport {
            outbox: link.outbox().clone(),
            channel: Arc::clone(&member.channel),
            batching: Batching::Alone,
            address: SessionAddress::Instance {
                reply_to: inbox.to_owned(),
                request_id: request_id.to_string(),
                service: service.to_string(),
            },
        };
        let session = Session::new(transport, window);
        member.enter();
        let opened = OpenedSession {
            session: session.clone(),
            link: link.clone(),
            instance: Arc::clone(member),
            number,
            service: service.clone(),
            action: action.clone(),
        };
        link.pending().sessions().add(number, session.clone(), Arc::clone(member));
        self.directory.check_calls();
        if member.is_gone() {
            session.fail(SessionError::Gone);
            return Err(self.no_service());
        }
        tracing::debug!(%service, action, %request_id, instance = %member.id, "opening a session");
        let request = RequestWriter {
            action,
            payload: &self.payload,
            reply_to: Some(inbox),
            request_id: Some(request_id.as_str()),
            service: service.as_str(),
            headers: &self.headers,
            timeout: Some(deadline.remaining()),
            accepts: &[BATCH],
        };
        let request = request.write_session(session.first_credit());
        let opening = async {
            if !session.request(request, deadline.instant()).await? {
                // No instance has received the request, so there is nothing to cancel.
                session.fail(SessionError::Gone);
                return Err(self.no_service());
            }
            session.opened().await;
            Ok(())
        };
        tokio::select! {
            biased;
            () = self.closing.cancelled() => return Err(CallError::Closed),
            outcome = timeout_at(deadline.instant(), opening) => match outcome {
                Ok(outcome) => outcome?,
                Err(_) => return Err(self.too_late()),
            },
        }
        if let Some(fault) = session.refusal() {
            return Err(reported(fault));
        }
        match session.failure() {
            // A final reply that has arrived already is read like any other.
            None | Some(SessionError::Over) => Ok(opened),
            Some(SessionError::Bus(BusError::Closed)) => Err(CallError::Closed),
            Some(error) => Err(opened.error(error)),
        }
    }
}
