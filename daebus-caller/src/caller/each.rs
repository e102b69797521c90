//! Sends each item of a stream to an ordinary action.

use std::fmt;
use std::future::IntoFuture;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt, TryStreamExt};
use serde::Serialize;
use serde_json::Value;

use super::balance::Balance;
use super::call::Call;
use super::deadline::Deadline;
use super::peer::Peer;
use crate::contract::FromFault;
use crate::error::{BusError, CallError};
use crate::wire::Fault;

/// Sends each item of a stream to an ordinary action, all to one instance. The calls are made when it is awaited.
///
/// One item at a time is sent, so they are handled in order; the next one is sent when the last one is answered. The first error
/// ends it, and the items behind are not sent. If the instance leaves meanwhile, the error is [`CallError::InstanceLost`].
///
/// Dropping the future cancels the calls that are not answered.
#[must_use = "the calls are made when it is awaited"]
pub struct EachCall<E = Fault> {
    peer: Peer,
    balance: Balance,
    timeout: Duration,
    calls: BoxStream<'static, Call<Value, E>>,
    in_flight: usize,
}

impl<E: FromFault> EachCall<E> {
    pub(super) fn new<T: Serialize + Send + 'static>(
        (peer, timeout, balance): (Peer, Duration, Balance),
        action: &'static str,
        items: impl Stream<Item = T> + Send + 'static,
        idempotent: bool,
    ) -> Self {
        let each = peer.clone();
        let call = move |item| Call::new(each.clone(), timeout, action, &item, idempotent, balance);
        Self { peer, balance, timeout, calls: items.map(call).boxed(), in_flight: 1 }
    }

    /// Sends up to `n` items before the first of them is answered. The action may then run for several items at the same
    /// time, in any order. Zero counts as one. Defaults to 1.
    pub fn in_flight(mut self, n: usize) -> Self {
        self.in_flight = n.max(1);
        self
    }

    /// Sets how long each item may take. Defaults to the caller's timeout, 5 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    async fn run(self) -> Result<(), CallError<E>> {
        let Self { peer, balance, timeout, calls, in_flight } = self;
        let (_, directory) = peer.directory().map_err(BusError::Name)?;
        directory.start();
        directory.first_reading(Deadline::after(timeout)).await;
        // A service without instances, in Python for example, has its own channel only.
        let instance = directory.select(balance, &[]).map(|member| member.id.clone());
        let send = |call: Call<Value, E>| {
            let call = call.timeout(timeout);
            match &instance {
                Some(instance) => call.on_instance(instance),
                None => call,
            }
        };
        calls.map(Ok).try_for_each_concurrent(in_flight, |call| async { send(call).await.map(drop) }).await
    }
}

impl<E: FromFault> IntoFuture for EachCall<E> {
    type Output = Result<(), CallError<E>>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<E> fmt::Debug for EachCall<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EachCall")
            .field("service", &self.peer.name())
            .field("in_flight", &self.in_flight)
            .finish_non_exhaustive()
    }
}
