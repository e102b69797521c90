//! Calls services, and publishes and subscribes without being a service.
//!
//! Names are `&str` and are checked when they are used; payloads are values or references that implement `Serialize`;
//! text that a call keeps is `impl Into<String>`.

mod audience;
mod balance;
mod call;
mod cancels;
pub mod deadline;
mod delivery;
mod directory;
mod each;
mod exchange;
mod job;
mod link;
mod listening;
mod opened;
mod opening;
mod peer;
mod pending;
mod progress;
mod queries;
mod request;
mod request_id;
mod retry;
mod route;
mod sessions;
mod silence;
mod stream;
mod streaming_calls;
pub mod trace;
mod workflow;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

pub use self::balance::Balance;
pub use self::call::Call;
pub use self::deadline::Deadline;
pub use self::each::EachCall;
pub use self::job::Job;
#[doc(hidden)]
pub use self::link::Link;
pub use self::listening::Listening;
use self::peer::Peer;
pub use self::progress::{Update, Updates};
pub use self::retry::Retry;
pub use self::stream::{Answered, FromSession, StreamCall, Streaming};
pub use self::workflow::{ReplyError, Workflow, WorkflowReply, WorkflowUpdate};
use crate::bus::{self, Bus, BusUrl, Topic};
use crate::contract::FromFault;
use crate::error::{BusError, CallError};
use crate::wire::{Channel, Instance, RawJson, ServiceName, encode, encode_flat};

/// How long a call waits for its answer unless said otherwise, as in the Python package.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a one-way message, or a wish to listen, waits for a bus that is away.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);

/// How long [`Caller::connect`] waits for the bus.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Calls one service, and sends and hears messages on any channel.
///
/// Clones, and callers of further services made by [`Caller::to`], share one connection and one inbox.
#[derive(Clone)]
pub struct Caller {
    peer: Peer,
    timeout: Duration,
    balance: Balance,
    /// Whether the bus was connected for this caller, and is closed with it.
    owns_bus: bool,
}

impl Caller {
    /// Connects to the bus and makes a caller of `service`.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// use daebus_caller::{Caller, CallError};
    /// use serde_json::{Value, json};
    ///
    /// let caller = Caller::connect("memory://doc-connect", "user_service").await?;
    /// let answer: Result<Value, CallError> = caller.send_request("get_user", json!({"id": 7})).await;
    /// assert!(matches!(answer, Err(CallError::NoService { .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`BusError::Url`] or [`BusError::Name`] for a URL or name that can't be used, [`BusError::Refused`] when the
    /// server doesn't let us in, [`BusError::Away`] when it isn't there within 10 s.
    pub async fn connect(url: &str, service: &str) -> Result<Self, BusError> {
        let service = ServiceName::new(service)?;
        let url = BusUrl::parse(url)?;
        let deadline = Deadline::after(CONNECT_TIMEOUT);
        let connected = async {
            let link = Link::new(bus::connect(&url).await?);
            link.inbox(deadline).await?;
            Ok::<_, BusError>(link)
        };
        let link = tokio::time::timeout_at(deadline.instant(), connected)
            .await
            .map_err(|_| BusError::Away { location: url.to_string() })??;
        Ok(Self { owns_bus: true, ..Self::from_link(link, service.as_str()) })
    }

    /// A caller of `service` on a bus that is there already, and that stays when the caller is closed.
    ///
    /// # Errors
    ///
    /// [`BusError::Name`] when the service's name can't be one.
    pub fn on_bus(bus: Arc<dyn Bus>, service: &str) -> Result<Self, BusError> {
        Ok(Self::from_link(Link::new(bus), ServiceName::new(service)?.as_str()))
    }

    /// A caller on a link that it shares.
    #[doc(hidden)]
    pub fn from_link(link: Link, service: &str) -> Self {
        Self {
            peer: Peer::new(link, service),
            timeout: CALL_TIMEOUT,
            balance: Balance::default(),
            owns_bus: false,
        }
    }

    /// Returns a caller of another service over the same connection. An invalid name is reported by the first call.
    #[must_use]
    pub fn to(&self, service: &str) -> Self {
        Self { peer: self.peer.to(service), ..self.clone() }
    }

    /// Returns the name of the called service.
    pub fn service(&self) -> &str {
        self.peer.name()
    }

    /// How long calls wait for their answer; 5 s unless said otherwise. [`Call::timeout`] says it for one call.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how calls are distributed over the instances of the service. Defaults to [`Balance::RoundRobin`].
    #[must_use]
    pub fn balance(mut self, balance: Balance) -> Self {
        self.balance = balance;
        self
    }

    /// Returns the instances of the service, and their changes.
    ///
    /// The list is empty until the instances have been read from the bus. It stays empty if the service's name is invalid or the
    /// service has no instances, as services in Python. It contains instances that are draining. An instance whose process was
    /// killed is removed within 25 s. The receiver reports the end when the last caller of the service is dropped.
    ///
    /// The instances are read from the first call of this method, or of an action, within a tokio runtime.
    ///
    /// ```
    /// # async fn example(caller: daebus_caller::Caller) {
    /// let mut members = caller.members();
    /// while members.changed().await.is_ok() {
    ///     for instance in &*members.borrow_and_update() {
    ///         println!("{} on {} ({:?})", instance.id, instance.host, instance.state);
    ///     }
    /// }
    /// # }
    /// ```
    pub fn members(&self) -> watch::Receiver<Vec<Instance>> {
        match self.peer.directory() {
            Ok((_, directory)) => directory.members(),
            Err(_) => watch::Sender::default().subscribe(),
        }
    }

    /// Waits until the service has at least `instances` instances that take new requests.
    ///
    /// ```
    /// # async fn example(caller: daebus_caller::Caller) -> Result<(), daebus_caller::CallError> {
    /// use std::time::Duration;
    ///
    /// caller.wait_for(2, Duration::from_secs(10)).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`CallError::TooFewInstances`] if there are fewer after the time `within`, [`CallError::Closed`], and [`CallError::Bus`]
    /// for a name that can't be a service's.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect.
    pub async fn wait_for(&self, instances: usize, within: Duration) -> Result<(), CallError> {
        self.peer.service().map_err(BusError::Name)?;
        let mut members = self.members();
        let running = |members: &[Instance]| members.iter().filter(|member| member.is_running()).count();
        let enough = members.wait_for(|members| running(members) >= instances);
        let closed = async {
            tokio::select! {
                () = self.peer.closing.cancelled() => {}
                () = self.peer.link.closed() => {}
            }
        };
        let found = tokio::select! {
            biased;
            () = closed => None,
            found = tokio::time::timeout_at(Deadline::after(within).instant(), enough) => {
                Some(found.map(|found| found.is_ok()))
            }
        };
        match found {
            Some(Ok(true)) => Ok(()),
            None | Some(Ok(false)) => Err(CallError::Closed),
            Some(Err(_)) => Err(CallError::TooFewInstances {
                service: self.service().to_owned(),
                wanted: instances,
                found: running(&members.borrow()),
                after: within,
            }),
        }
    }

    /// Calls an action, untyped: the answer is whatever it is read as.
    pub fn send_request<T>(&self, action: &str, payload: impl Serialize) -> Call<T>
    where
        T: DeserializeOwned + Send + 'static,
    {
        Call::new(self.peer.clone(), self.timeout, action, &payload, false, self.balance)
    }

    /// What generated stubs call.
    #[doc(hidden)]
    pub fn __call<T, E, P>(
        &self,
        action: &'static str,
        payload: &(impl Serialize + ?Sized),
        idempotent: bool,
    ) -> Call<T, E, P>
    where
        T: DeserializeOwned + Send + 'static,
        E: FromFault,
        P: DeserializeOwned + Send + 'static,
    {
        Call::new(self.peer.clone(), self.timeout, action, payload, idempotent, self.balance)
    }

    /// Sends a message to a channel and returns how many connections received it.
    ///
    /// # Errors
    ///
    /// [`BusError::Name`], [`BusError::Encode`], [`BusError::Closed`]; [`BusError::Away`] when the bus isn't there
    /// within 5 s; [`BusError::Unknown`] when it may or may not have been sent.
    pub async fn send_message(&self, channel: &str, payload: impl Serialize) -> Result<u64, BusError> {
        let channel = Channel::new(channel)?;
        let message = encode(&payload).map_err(|error| BusError::encode(channel.as_str(), &error))?;
        self.publish(channel.as_str(), &message).await
    }

    /// Sends a one-way message to the service and returns how many connections received it; no reply will come.
    ///
    /// With an action it goes out as the Python package writes it: the fields of `payload` beside `action`. A payload
    /// that has no fields, or one called `payload` or `action` that would be mistaken for the envelope's, goes into an
    /// envelope of its own. Without an action the payload is published as it is.
    ///
    /// # Errors
    ///
    /// As for [`Caller::send_message`].
    pub async fn send_to_service(
        &self,
        payload: impl Serialize,
        action: Option<&str>,
    ) -> Result<u64, BusError> {
        let service = self.peer.service()?;
        let message = match action {
            Some(action) => encode_flat(&payload, action),
            None => encode(&payload),
        };
        let message = message.map_err(|error| BusError::encode(service.as_str(), &error))?;
        self.publish(service.as_str(), &message).await
    }

    /// Listens to a channel, or to all that a pattern matches (`sensor.*`); confirmed by the bus when this returns.
    ///
    /// # Errors
    ///
    /// [`BusError::Name`] for a name that can't be a channel's, [`BusError::Closed`], [`BusError::Away`] when the bus isn't
    /// there within 5 s, [`BusError::Refused`] when the server doesn't let us listen.
    pub async fn listen<T>(&self, channel_or_pattern: &str) -> Result<Listening<T>, BusError>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let name = Channel::new(channel_or_pattern)?;
        if self.peer.closing.is_cancelled() {
            return Err(BusError::Closed);
        }
        self.peer.link.ready(Deadline::after(SEND_TIMEOUT)).await?;
        Listening::start(self.peer.link.clone(), self.peer.closing.clone(), Topic::parse(name.as_str())).await
    }

    /// Closes this caller, its clones and those made from it by [`Caller::to`]: calls in flight and later ones end with
    /// [`CallError::Closed`]. A connection made by [`Caller::connect`] is closed as well; one
    /// that is shared with a service stays.
    ///
    /// Dropping them all disconnects too.
    pub async fn close(&self) {
        self.peer.closing.cancel();
        if self.owns_bus {
            self.peer.link.bus().close().await;
        }
    }

    /// How many calls are in flight on the inbox that this caller shares. What was answered, ran out of time, failed or
    /// was dropped isn't among them.
    pub fn in_flight(&self) -> usize {
        self.peer.link.pending().len()
    }

    async fn publish(&self, channel: &str, message: &RawJson) -> Result<u64, BusError> {
        tokio::select! {
            biased;
            () = self.peer.closing.cancelled() => Err(BusError::Closed),
            sent = self.peer.link.outbox().publish(channel, message.as_bytes().clone(), SEND_TIMEOUT) => sent,
        }
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("service", &self.service())
            .field("bus", &self.peer.link.bus().location())
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
