//! A call as a value, until it is awaited.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt, join_all};
use parking_lot::Mutex;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::balance::{Balance, Choice};
use super::deadline::{self, Deadline};
use super::exchange::typed;
use super::job::Job;
use super::peer::Peer;
use super::progress::Updates;
use super::request::{OutgoingRequest, RawAnswer};
use super::retry::{Retry, is_worth_retrying};
use super::trace;
use crate::contract::FromFault;
use crate::error::CallError;
use crate::wire::{Fault, Headers, InstanceId, RawJson, TraceContext, decode_answer, encode_payload};

/// A call that is made when it is awaited.
///
/// `T` is the answer, `E` the error of the action, `P` its progress. Dropping it, or the future it turned into, before
/// the answer is there cancels the request: the service ends the work at its next await.
#[must_use = "a call is made when it is awaited"]
pub struct Call<T, E = Fault, P = Value> {
    peer: Peer,
    action: String,
    /// An encoding error is reported when the call is awaited.
    payload: Result<RawJson, serde_json::Error>,
    headers: Headers,
    timeout: Duration,
    surrounding: Option<Deadline>,
    trace: Option<Arc<TraceContext>>,
    idempotent: bool,
    choice: Choice,
    retry: Retry,
    listeners: Vec<ProgressListener>,
    types: Types<T, E, P>,
}

/// What a call is read as, without owning any of it.
type Types<T, E, P> = PhantomData<fn() -> (T, E, P)>;

/// Receives each progress update, undecoded.
type ProgressListener = Box<dyn FnMut(&RawJson) + Send>;

impl<T, E, P> Call<T, E, P>
where
    T: DeserializeOwned + Send + 'static,
    E: FromFault,
    P: DeserializeOwned + Send + 'static,
{
    pub(super) fn new(
        peer: Peer,
        timeout: Duration,
        action: &str,
        payload: &(impl Serialize + ?Sized),
        idempotent: bool,
        balance: Balance,
    ) -> Self {
        Self {
            choice: Choice::Any(balance),
            timeout,
            peer,
            action: action.to_owned(),
            payload: encode_payload(payload),
            headers: Headers::new(),
            // Both are taken here as well as where it is awaited: a task that is spawned from a handler doesn't inherit it.
            surrounding: deadline::current(),
            trace: trace::current(),
            idempotent,
            retry: Retry::default(),
            listeners: Vec::new(),
            types: PhantomData,
        }
    }

    /// How long to wait for the answer, all tries together; the caller's own timeout (5 s) unless said otherwise.
    ///
    /// Within a handler it is the handler's remaining time when that is less.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Adds a header, in place of an earlier one of that name.
    ///
    /// Within a handler, a call carries the headers `traceparent` and `tracestate` of the handler's own request, unless they
    /// are set here.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }

    /// Hears of progress, in order, before the answer is there. It runs where the call is awaited, so it mustn't block.
    ///
    /// An update that doesn't read as `P` is logged and left out. Called again, it adds a further listener.
    pub fn on_progress(mut self, mut listener: impl FnMut(P) + Send + 'static) -> Self {
        let (service, action) = (self.peer.name().to_owned(), self.action.clone());
        self.listeners.push(Box::new(move |update| match decode_answer::<P>(Some(update.as_str())) {
            Ok(update) => listener(update),
            Err(error) => {
                tracing::warn!(service, action, "a progress update can't be read and is left out: {error}");
            }
        }));
        self
    }

    /// Tries again where that can help and can't do harm; see [`Retry`].
    pub fn retry(mut self, retry: impl Into<Retry>) -> Self {
        self.retry = retry.into();
        self
    }

    /// Sends the call to the instance of that id, and to no other.
    ///
    /// If the instance doesn't exist, the call fails with [`CallError::InstanceLost`]; an id that is invalid is reported as
    /// [`BusError::Name`](crate::BusError::Name).
    ///
    /// ```
    /// # async fn example(caller: daebus_caller::Caller) -> Result<(), daebus_caller::CallError> {
    /// use serde_json::Value;
    ///
    /// let stats: Value = caller.send_request("get_stats", ()).on_instance("user_service@1f0c22aa").await?;
    /// # let _ = stats;
    /// # Ok(()) }
    /// ```
    pub fn on_instance(mut self, id: impl AsRef<str>) -> Self {
        self.choice = InstanceId::new(id).map_or_else(|error| Choice::Invalid(error.into()), Choice::Named);
        self
    }

    /// Selects the instance by this key, whatever the caller's [`Balance`] is: calls with the same key reach the same
    /// instance while the instances stay the same.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.choice = Choice::ByKey(key.into());
        self
    }

    /// Calls all instances that take new requests, at the same time, and returns the result of each. The failure of one
    /// instance doesn't affect the results of the others.
    ///
    /// A refused request is not sent elsewhere. Progress listeners receive the updates of all instances.
    ///
    /// ```
    /// # async fn example(caller: daebus_caller::Caller) -> Result<(), daebus_caller::CallError> {
    /// use serde_json::Value;
    ///
    /// let results = caller.send_request::<Value>("clear_cache", ()).on_all().await?;
    /// for (instance, result) in results {
    ///     match result {
    ///         Ok(answer) => println!("{instance}: {answer}"),
    ///         Err(error) => println!("{instance} failed: {error}"),
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`CallError::NoService`] if no instance is known: a service without instances, one in Python for example, can't
    /// be called this way. Returns an error for all if nothing is sent, because of an invalid name for example.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels the requests that are not answered.
    pub async fn on_all(self) -> Result<BTreeMap<InstanceId, Result<T, CallError<E>>>, CallError<E>> {
        let PreparedCall { request, closing, surrounding, retry, listeners } = self.prepare();
        let mut request = request.map_err(typed)?;
        request.start(surrounding);
        let answers = closing.run_until_cancelled(request.ask_all(retry, listeners)).await;
        let answers = answers.unwrap_or(Err(CallError::Closed)).map_err(typed)?;
        Ok(answers.into_iter().map(|(id, answer)| (id, read(&request, answer))).collect())
    }

    /// The call as a stream of its progress, with the answer at the end. The call is made when the stream is first
    /// polled; dropping the stream takes it back.
    pub fn progress(self) -> Updates<T, E, P> {
        Updates::new(|listener| self.on_progress(listener).into_future())
    }

    /// Makes the call in a task of its own. The [`Job`] is awaited or aborted later.
    ///
    /// ```
    /// # async fn example(caller: daebus_caller::Caller) -> Result<(), daebus_caller::CallError> {
    /// use serde_json::{Value, json};
    ///
    /// let job = caller.send_request::<Value>("import", json!({"rows": 1000})).spawn();
    /// // … other work …
    /// let imported = job.await?;
    /// # let _ = imported;
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn spawn(self) -> Job<T, E> {
        Job::new(tokio::spawn(self.run()))
    }

    fn prepare(self) -> PreparedCall {
        let Self { peer, action, payload, mut headers, timeout, surrounding, retry, listeners, .. } = self;
        if let Some(trace) = self.trace.or_else(trace::current) {
            trace.add_to(&mut headers);
        }
        let closing = Arc::clone(&peer.closing);
        let mut request = OutgoingRequest::new(peer, action, payload, headers, timeout);
        if let Ok(request) = &mut request {
            (request.choice, request.idempotent) = (self.choice, self.idempotent);
        }
        PreparedCall { request, closing, surrounding, retry, listeners }
    }

    fn run(self) -> impl Future<Output = Result<T, CallError<E>>> + Send + 'static {
        // Prepared outside of the future, which would store what it moves a second time.
        let PreparedCall { mut request, closing, surrounding, retry, mut listeners } = self.prepare();
        async move {
            let request = match request {
                Ok(ref mut request) => request,
                Err(_) if closing.is_cancelled() => return Err(CallError::Closed),
                Err(error) => return Err(typed(error)),
            };
            request.start(surrounding);
            let wants_progress = !listeners.is_empty();
            let mut report = |update: RawJson| listeners.iter_mut().for_each(|listener| listener(&update));
            let first =
                request.attempt(request.idempotent && retry.repeats(), wants_progress, &mut report).await;
            let outcome = if retry.repeats() {
                // Boxed: most calls make one attempt, and need no room for more.
                Box::pin(ask_again(request, first, retry, wants_progress, &mut report)).await
            } else {
                first
            };
            read(request, outcome)
        }
    }
}

/// The parts of a call that remain when its request is written.
struct PreparedCall {
    request: Result<OutgoingRequest, CallError>,
    /// Cancelled when the caller is closed.
    closing: Arc<CancellationToken>,
    surrounding: Option<Deadline>,
    retry: Retry,
    listeners: Vec<ProgressListener>,
}

/// Reads an answer as the type that the call has.
fn read<T, E>(request: &OutgoingRequest, outcome: RawAnswer) -> Result<T, CallError<E>>
where
    T: DeserializeOwned + 'static,
    E: FromFault,
{
    let answer = outcome.map_err(typed)?;
    decode_answer(answer.as_ref().map(RawJson::as_str)).map_err(|source| CallError::Decode {
        service: request.service.to_string(),
        action: request.action.clone(),
        source,
    })
}

impl OutgoingRequest {
    /// Makes the call on all instances, and returns their answers.
    async fn ask_all(
        &self,
        retry: Retry,
        listeners: Vec<ProgressListener>,
    ) -> Result<BTreeMap<InstanceId, RawAnswer>, CallError> {
        self.directory.start();
        self.link.ready(self.deadline).await?;
        self.directory.reading(self.deadline).await;
        if !self.directory.was_read() {
            return Err(self.too_late());
        }
        let instances = self.directory.running();
        if instances.is_empty() {
            return Err(self.no_service());
        }
        let listeners = Mutex::new(listeners);
        let answers = instances.into_iter().map(|id| {
            let request = Self { choice: Choice::Named(id.clone()), ..self.clone() };
            let listeners = &listeners;
            async move {
                let wants_progress = !listeners.lock().is_empty();
                let mut report =
                    |update: RawJson| listeners.lock().iter_mut().for_each(|listener| listener(&update));
                let repeatable = request.idempotent && retry.repeats();
                let first = request.attempt(repeatable, wants_progress, &mut report).await;
                let answer = ask_again(&request, first, retry, wants_progress, &mut report).await;
                (id, answer)
            }
            .boxed()
        });
        Ok(join_all(answers).await.into_iter().collect())
    }
}

/// Makes further attempts after the first one, until there is an answer or a final error.
async fn ask_again(
    request: &OutgoingRequest,
    mut outcome: RawAnswer,
    retry: Retry,
    wants_progress: bool,
    report: &mut (dyn FnMut(RawJson) + Send),
) -> RawAnswer {
    let idempotent = request.idempotent;
    let mut delays = retry.delays().peekable();
    loop {
        let error = match outcome {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        match delays.next() {
            // A delay that ends after the deadline would replace this error by a timeout, which says less.
            Some(delay) if is_worth_retrying(&error, idempotent) && delay < request.deadline.remaining() => {
                tracing::debug!(service = %request.service, action = request.action, ?delay, %error, "retrying");
                if request.closing.run_until_cancelled(tokio::time::sleep(delay)).await.is_none() {
                    return Err(CallError::Closed);
                }
            }
            _ => return Err(error),
        }
        let repeatable = idempotent && delays.peek().is_some();
        outcome = request.attempt(repeatable, wants_progress, report).await;
    }
}

impl<T, E, P> IntoFuture for Call<T, E, P>
where
    T: DeserializeOwned + Send + 'static,
    E: FromFault,
    P: DeserializeOwned + Send + 'static,
{
    type Output = Result<T, CallError<E>>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<T, E, P> fmt::Debug for Call<T, E, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("service", &self.peer.name())
            .field("action", &self.action)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Caller;
    use super::*;
    use crate::bus::MemoryBus;

    /// The size in a debug build when this test was written, and some room for other compilers. Each call in flight takes
    /// as much, so a burst of 100,000 calls takes 100,000 times as much.
    const LARGEST: usize = 1216;

    #[test]
    fn the_future_of_a_call_stays_small() {
        let caller = Caller::on_bus(MemoryBus::new(), "svc").unwrap();
        let size = std::mem::size_of_val(&caller.send_request::<Value>("get", ()).run());
        assert!(size <= LARGEST, "{size} bytes");
    }
}
