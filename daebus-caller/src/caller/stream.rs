//! Calls of actions that take or return a stream.

use std::fmt;
use std::future::IntoFuture;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{Stream, StreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::balance::{Balance, Choice};
use super::deadline::{self, Deadline};
use super::exchange::typed;
use super::opened::{EncodedItems, OpenedSession, reported};
use super::peer::Peer;
use super::request::OutgoingRequest;
use super::trace;
use crate::contract::FromFault;
use crate::error::CallError;
use crate::session::{Received, Window};
use crate::wire::{Fault, Headers, InstanceId, RawJson, TraceContext, decode_answer, encode, encode_payload};

/// A call of an action that takes or returns a stream, or of a workflow. It is made when it is awaited.
///
/// `S` is what the call opens: [`Streaming`] for an action that returns a stream, [`Answered`] for one that only takes a
/// stream, [`Workflow`](super::Workflow) for a workflow. Such a call is sent to an instance of the service; a service in Python
/// has none.
#[must_use = "a call is made when it is awaited"]
pub struct StreamCall<S> {
    peer: Peer,
    action: String,
    /// An encoding error is reported when the call is awaited.
    payload: Result<RawJson, serde_json::Error>,
    headers: Headers,
    timeout: Duration,
    surrounding: Option<Deadline>,
    trace: Option<Arc<TraceContext>>,
    choice: Choice,
    window: Window,
    idle: Option<Duration>,
    items: Option<EncodedItems>,
    opens: PhantomData<fn() -> S>,
}

/// What an open session is read as.
pub trait FromSession: Sized + Send + 'static {
    /// What the call returns.
    type Output: Send + 'static;
    /// The error of the action.
    type Error: FromFault;

    /// Reads the session.
    #[doc(hidden)]
    fn from_session(
        session: OpenedSession,
    ) -> BoxFuture<'static, Result<Self::Output, CallError<Self::Error>>>;
}

impl<S: FromSession> StreamCall<S> {
    pub(super) fn new(
        peer: Peer,
        timeout: Duration,
        action: &str,
        payload: &(impl Serialize + ?Sized),
        balance: Balance,
    ) -> Self {
        Self {
            peer,
            action: action.to_owned(),
            payload: encode_payload(payload),
            headers: Headers::new(),
            timeout,
            surrounding: deadline::current(),
            trace: trace::current(),
            choice: Choice::Any(balance),
            window: Window::default(),
            idle: None,
            items: None,
            opens: PhantomData,
        }
    }

    /// Sets the stream that the action receives. It is polled while the service has room for items, and dropped when the
    /// call ends.
    pub fn items<T: Serialize>(mut self, items: impl Stream<Item = T> + Send + 'static) -> Self {
        self.items = Some(items.map(|item| encode(&item)).boxed());
        self
    }

    /// Sets how long the opening may take: until an instance has accepted the call. Defaults to the caller's timeout, 5 s.
    /// The streams themselves have no limit in time.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Ends the call with the code `session_idle` if the service sends no item, question or answer for that long although this side
    /// accepts items. Without it, only a service that is gone ends the call: each side reports every 5 s that it is alive.
    pub fn idle(mut self, limit: Duration) -> Self {
        self.idle = Some(limit);
        self
    }

    /// Sets how many items, and how many bytes of their JSON, the service may send before this side has taken them.
    /// Defaults to 64 items and 1 MiB. One item that is larger is sent alone.
    pub fn window(mut self, items: u64, bytes: u64) -> Self {
        self.window = Window { items, bytes };
        self
    }

    /// Adds a header, in place of an earlier one of that name.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }

    /// Sends the call to the instance of that id, and to no other.
    pub fn on_instance(mut self, id: impl AsRef<str>) -> Self {
        self.choice = InstanceId::new(id).map_or_else(|error| Choice::Invalid(error.into()), Choice::Named);
        self
    }

    /// Selects the instance by this key, whatever the caller's [`Balance`] is.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.choice = Choice::ByKey(key.into());
        self
    }

    async fn open(self) -> Result<OpenedSession, CallError> {
        let Self { peer, action, payload, mut headers, timeout, window, idle, items, .. } = self;
        if let Some(trace) = self.trace.or_else(trace::current) {
            trace.add_to(&mut headers);
        }
        let closing = peer.closing.clone();
        if closing.is_cancelled() {
            return Err(CallError::Closed);
        }
        let mut request = OutgoingRequest::new(peer, action, payload, headers, timeout)?;
        request.choice = self.choice;
        request.start(self.surrounding);
        let session = request.open(window).await?;
        session.session.limit_idle(idle);
        session.start(items, closing);
        Ok(session)
    }
}

impl<S: FromSession> IntoFuture for StreamCall<S> {
    type Output = Result<S::Output, CallError<S::Error>>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { S::from_session(self.open().await.map_err(typed)?).await })
    }
}

impl<S> fmt::Debug for StreamCall<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamCall")
            .field("service", &self.peer.name())
            .field("action", &self.action)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// The stream that an action returns: a [`Stream`] of `Result<T, CallError<E>>`, in the order in which the handler yields.
///
/// It ends with `None` after the handler's stream, or after an error. Dropping it cancels the handler. While it isn't polled,
/// the service sends what the window allows, 64 items and 1 MiB by default, and the handler's stream is not polled further.
///
/// The error is [`CallError::InstanceLost`] if the instance left, died, or sent nothing for 15 s, and
/// [`CallError::Fault`] with one of these codes: `interrupted` if the service stopped, `session_gap` if an item was lost,
/// `session_idle` if the [idle limit](StreamCall::idle) has passed.
///
/// # Cancel safety
///
/// [`next`](Self::next) is cancel safe: no item is lost.
#[must_use = "a stream does nothing unless it is polled"]
pub struct Streaming<T, E = Fault> {
    session: Option<OpenedSession>,
    types: PhantomData<fn() -> (T, E)>,
}

impl<T, E> Streaming<T, E>
where
    T: DeserializeOwned + Send + 'static,
    E: FromFault,
{
    /// Returns the next item; `None` after the end.
    pub async fn next(&mut self) -> Option<Result<T, CallError<E>>> {
        StreamExt::next(self).await
    }
}

impl<T, E> Unpin for Streaming<T, E> {}

impl<T, E> Stream for Streaming<T, E>
where
    T: DeserializeOwned + Send + 'static,
    E: FromFault,
{
    type Item = Result<T, CallError<E>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let Some(session) = &self.session else { return Poll::Ready(None) };
            let Poll::Ready(received) = session.poll(context) else { return Poll::Pending };
            let end = match received {
                Received::Item(item) => return Poll::Ready(Some(decoded(session, Some(&item)))),
                // Only workflows ask.
                Received::Ask { .. } => continue,
                Received::End(Ok(_)) => None,
                Received::End(Err(fault)) => Some(Err(reported(fault))),
                Received::Failed(error) => Some(Err(session.error(error))),
            };
            self.session = None;
            return Poll::Ready(end);
        }
    }
}

/// Reads an item or the answer.
pub(super) fn decoded<T, E>(session: &OpenedSession, json: Option<&RawJson>) -> Result<T, CallError<E>>
where
    T: DeserializeOwned + 'static,
{
    decode_answer(json.map(RawJson::as_str)).map_err(|source| CallError::Decode {
        service: session.service.to_string(),
        action: session.action.clone(),
        source,
    })
}

impl<T, E> fmt::Debug for Streaming<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streaming").field("over", &self.session.is_none()).finish_non_exhaustive()
    }
}

impl<T, E> FromSession for Streaming<T, E>
where
    T: DeserializeOwned + Send + 'static,
    E: FromFault,
{
    type Output = Self;
    type Error = E;

    fn from_session(session: OpenedSession) -> BoxFuture<'static, Result<Self, CallError<E>>> {
        let stream = Self { session: Some(session), types: PhantomData };
        Box::pin(std::future::ready(Ok(stream)))
    }
}

/// The answer of an action that takes a stream and returns a value: awaiting the call returns the `T`.
#[derive(Debug)]
pub struct Answered<T, E = Fault>(PhantomData<fn() -> (T, E)>);

impl<T, E> FromSession for Answered<T, E>
where
    T: DeserializeOwned + Send + 'static,
    E: FromFault,
{
    type Output = T;
    type Error = E;

    fn from_session(session: OpenedSession) -> BoxFuture<'static, Result<T, CallError<E>>> {
        Box::pin(async move {
            loop {
                return match std::future::poll_fn(|context| session.poll(context)).await {
                    Received::Item(_) | Received::Ask { .. } => continue,
                    Received::End(Ok(answer)) => decoded(&session, answer.as_ref()),
                    Received::End(Err(fault)) => Err(reported(fault)),
                    Received::Failed(error) => Err(session.error(error)),
                };
            }
        })
    }
}
