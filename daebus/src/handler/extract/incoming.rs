use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context as Task, Poll};

use daebus_caller::contract::IntoFault;
use daebus_caller::session::{Received, Session, SessionError};
use daebus_caller::wire::{Fault, FaultCode, PayloadError, decode_message};
use futures_util::{Stream, StreamExt};
use serde::de::DeserializeOwned;

use super::Extract;
use crate::handler::context::Context;
use crate::handler::failure::Failure;
use crate::handler::kind::Action;
use crate::handler::session::RequestSession;
use crate::handler::state::Needs;

/// The stream that the caller sends: a [`Stream`] of `Result<T, IncomingError>`, in order.
///
/// While the handler doesn't poll it, the caller sends at most 64 items and 1 MiB, and then waits. The stream ends with `None` after
/// the caller's last item, or after an error. If the caller cancels the call, the handler is dropped, as for other calls.
///
/// If the caller sends no item for the action's `timeout`, 300 s by default, although the handler waits for one, the stream
/// ends with [`SessionError::Idle`].
///
/// ```
/// use daebus::prelude::*;
/// use daebus::IncomingError;
///
/// #[action("sum")]
/// pub async fn sum(mut numbers: Incoming<i64>) -> Result<i64, IncomingError> {
///     let mut sum = 0;
///     while let Some(number) = numbers.next().await {
///         sum += number?;
///     }
///     Ok(sum)
/// }
/// ```
///
/// # Cancel safety
///
/// [`next`](Self::next) is cancel safe: no item is lost.
pub struct Incoming<T> {
    /// `None` after the end.
    session: Option<Session>,
    items: u64,
    of: PhantomData<fn() -> T>,
}

/// Why an item of the caller's stream can't be read, or why the stream ended early.
///
/// As the error of a handler, [`Invalid`](Self::Invalid) reaches the caller as `invalid_payload`. After the other errors the
/// caller's call has failed already.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IncomingError {
    /// An item doesn't fit the type. The stream goes on with the next item.
    #[error("item {item} of the stream can't be read: {source}")]
    Invalid {
        /// The number of the item, from 1.
        item: u64,
        /// The field and the reason.
        source: PayloadError,
    },
    /// The caller ended its stream with an error.
    #[error("the caller's stream failed: {0}")]
    Failed(Fault),
    /// The session ended: the caller is gone, was idle for too long, or broke the rules of the protocol.
    #[error(transparent)]
    Session(#[from] SessionError),
}

impl<T: DeserializeOwned> Incoming<T> {
    /// Returns the next item; `None` after the end.
    pub async fn next(&mut self) -> Option<Result<T, IncomingError>> {
        StreamExt::next(self).await
    }
}

impl<T> Unpin for Incoming<T> {}

impl<T: DeserializeOwned> Stream for Incoming<T> {
    type Item = Result<T, IncomingError>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let Some(session) = &self.session else { return Poll::Ready(None) };
            let Poll::Ready(received) = session.poll_received(task) else { return Poll::Pending };
            let end = match received {
                Received::Item(item) => {
                    self.items += 1;
                    let invalid = |source| IncomingError::Invalid { item: self.items, source };
                    return Poll::Ready(Some(decode_message(item.as_str()).map_err(invalid)));
                }
                // Callers don't ask.
                Received::Ask { .. } => continue,
                Received::End(Ok(_)) => None,
                Received::End(Err(fault)) => Some(Err(IncomingError::Failed(fault))),
                Received::Failed(error) => Some(Err(error.into())),
            };
            self.session = None;
            return Poll::Ready(end);
        }
    }
}

impl<T> Extract<Action> for Incoming<T> {
    fn needs(needs: &mut Needs) {
        needs.session();
    }

    async fn extract(cx: &mut Context) -> Result<Self, Failure> {
        let RequestSession { session, idle } = RequestSession::of(cx)?;
        session.limit_idle(Some(*idle));
        Ok(Self { session: Some(session.clone()), items: 0, of: PhantomData })
    }
}

impl<T> fmt::Debug for Incoming<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").field("items", &self.items).finish_non_exhaustive()
    }
}

impl IntoFault for IncomingError {
    type Remote = Fault;

    fn into_fault(self) -> Fault {
        match self {
            Self::Invalid { .. } => Fault::reserved(FaultCode::InvalidPayload, self.to_string()),
            Self::Failed(fault) => fault,
            Self::Session(error) => error.fault(),
        }
    }
}
