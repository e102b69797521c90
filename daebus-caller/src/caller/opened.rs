//! The caller's side of an open session.

use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use tokio_util::sync::CancellationToken;

use super::directory::member::Member;
use super::link::Link;
use crate::contract::FromFault;
use crate::error::{BusError, CallError};
use crate::session::{Received, Session, SessionError};
use crate::wire::{Fault, RawJson, ServiceName};

/// The items of a caller's stream, encoded.
pub(super) type EncodedItems = BoxStream<'static, Result<RawJson, serde_json::Error>>;

/// The caller's side of a session. Dropping it abandons the session: the service ends the handler at its next await.
#[derive(Debug)]
pub struct OpenedSession {
    pub(super) session: Session,
    pub(super) link: Link,
    pub(super) instance: Arc<Member>,
    /// The number of the request that opened the session.
    pub(super) number: u64,
    pub(super) service: ServiceName,
    pub(super) action: String,
}

impl OpenedSession {
    /// Starts the task that keeps the session alive and sends the caller's items.
    pub(super) fn start(&self, items: Option<EncodedItems>, closing: Arc<CancellationToken>) {
        self.session.start();
        tokio::spawn(keep(self.session.clone(), items, closing));
    }

    pub(super) fn poll(&self, context: &Context<'_>) -> Poll<Received> {
        self.session.poll_received(context)
    }

    /// Returns the error of the session as an error of the call.
    pub(super) fn error<E: FromFault>(&self, error: SessionError) -> CallError<E> {
        match error {
            SessionError::Lost { .. } | SessionError::Gone | SessionError::InstanceLost { .. } => {
                CallError::InstanceLost { instance: self.instance.id.to_string() }
            }
            SessionError::Bus(BusError::Closed) | SessionError::Over => CallError::Closed,
            SessionError::Bus(error) => CallError::Bus(error),
            error => CallError::Fault(error.fault()),
        }
    }
}

/// The error of the service as the error of a call.
pub(super) fn reported<E: FromFault>(fault: Fault) -> CallError<E> {
    if SessionError::is_reported_by(&fault) {
        return CallError::Fault(fault);
    }
    match E::from_fault(fault) {
        Ok(error) => CallError::Service(error),
        Err(fault) => CallError::Fault(fault),
    }
}

impl Drop for OpenedSession {
    fn drop(&mut self) {
        self.link.pending().sessions().remove(self.number);
        if self.session.failure().is_none() {
            self.session.fail(SessionError::Abandoned);
            let request_id = self.link.pending().id(self.number);
            self.link.cancel(&self.instance.channel, self.service.as_str(), request_id);
        }
        self.instance.leave();
    }
}

/// Keeps a session alive until it is over, and sends the items of the caller's stream.
async fn keep(session: Session, items: Option<EncodedItems>, closing: Arc<CancellationToken>) {
    let send = async {
        if let Some(items) = items {
            send(&session, items).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        biased;
        () = session.keep() => {}
        () = closing.cancelled() => session.fail(SessionError::Bus(BusError::Closed)),
        () = send => {}
    }
    // The instance can't have found these errors.
    if let Some(
        SessionError::Gap { .. }
        | SessionError::Credit { .. }
        | SessionError::Malformed { .. }
        | SessionError::Idle { .. }
        | SessionError::Lost { .. }
        | SessionError::Bus(_),
    ) = session.failure()
    {
        session.report_failure().await;
    }
}

async fn send(session: &Session, mut items: EncodedItems) {
    let mut error = None;
    while let Some(item) = items.next().await {
        match item {
            // The session's error is reported to the reader.
            Ok(item) => {
                if session.send_item(item).await.is_err() {
                    return;
                }
            }
            Err(source) => {
                let text = format!("an item can't be written as JSON: {source}");
                error = Some(Fault::new("item_not_encoded", text));
                break;
            }
        }
    }
    let _ = session.send_end(error).await;
}
