//! The caller's verbs for programs without a runtime (feature `blocking`).
//!
//! ```
//! use std::time::Duration;
//!
//! use daebus_caller::CallError;
//! use daebus_caller::blocking::Caller;
//! use serde_json::{Value, json};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // `redis://127.0.0.1:6379` is the usual one.
//! let caller = Caller::connect("memory://doc-blocking", "user_service")?;
//!
//! let call = caller.send_request::<Value>("get_user", json!({"id": 7})).timeout(Duration::from_millis(200));
//! match call.wait() {
//!     Ok(user) => println!("{user}"),
//!     Err(CallError::NoService { service }) => println!("{service} isn't running"),
//!     Err(error) => println!("{error}"),
//! }
//!
//! let mut alerts = caller.listen::<Value>("alerts.*")?;
//! caller.send_message("alerts.fire", json!({"room": 12}))?;
//! assert_eq!(alerts.next_timeout(Duration::from_secs(1))?, json!({"room": 12}));
//! caller.close();
//! # Ok(())
//! # }
//! ```
//!
//! Each [`Caller::connect`] brings a thread with a runtime of its own, which all that is made from it shares, and which
//! ends with the last of them.
//!
//! Where a runtime is already, in `async` code and on the threads that tokio keeps for blocking work, these verbs
//! would hold it up. There they do nothing and return [`BusError::Blocking`]; [`crate::Caller`] is the one to use.

mod call;
mod listening;
mod runtime;

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

pub use self::call::Call;
pub use self::listening::Listening;
use self::runtime::Runtime;
use crate::caller;
use crate::error::BusError;
use crate::wire::encode;

/// Calls one service, and sends and hears messages on any channel, on a thread that may block.
///
/// Clones, and callers of further services made by [`Caller::to`], share one connection, one inbox and one thread.
#[derive(Clone)]
pub struct Caller {
    runtime: Runtime,
    caller: caller::Caller,
}

impl Caller {
    /// Connects to the bus and makes a caller of `service`, waiting 10 s at most.
    ///
    /// # Errors
    ///
    /// As for [`crate::Caller::connect`], and [`BusError::Blocking`] where a runtime is already.
    pub fn connect(url: &str, service: &str) -> Result<Self, BusError> {
        let runtime = Runtime::start()?;
        let (url, service) = (url.to_owned(), service.to_owned());
        let caller = runtime.run(async move { caller::Caller::connect(&url, &service).await })??;
        Ok(Self { runtime, caller })
    }

    /// A caller of another service over the same connection. A name that can't be a service's is told by its calls.
    #[must_use]
    pub fn to(&self, service: &str) -> Self {
        Self { runtime: self.runtime.clone(), caller: self.caller.to(service) }
    }

    /// The name of the service that is called.
    pub fn service(&self) -> &str {
        self.caller.service()
    }

    /// How long calls wait for their answer; 5 s unless said otherwise. [`Call::timeout`] says it for one call.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { caller: self.caller.timeout(timeout), ..self }
    }

    /// Calls an action, once [`Call::wait`] is called on what this returns.
    pub fn send_request<T>(&self, action: &str, payload: impl Serialize) -> Call<'static, T>
    where
        T: DeserializeOwned + Send + 'static,
    {
        Call::new(self.runtime.clone(), self.caller.send_request(action, payload))
    }

    /// Sends a message to a channel and returns how many connections received it.
    ///
    /// # Errors
    ///
    /// As for [`crate::Caller::send_message`], and [`BusError::Blocking`] where a runtime is already.
    pub fn send_message(&self, channel: &str, payload: impl Serialize) -> Result<u64, BusError> {
        let payload = written(payload, channel)?;
        let (caller, channel) = (self.caller.clone(), channel.to_owned());
        self.runtime.run(async move { caller.send_message(&channel, payload).await })?
    }

    /// Sends a one-way message to the service and returns how many connections received it; no reply will come. See
    /// [`crate::Caller::send_to_service`].
    ///
    /// # Errors
    ///
    /// As for [`Caller::send_message`].
    pub fn send_to_service(&self, payload: impl Serialize, action: Option<&str>) -> Result<u64, BusError> {
        let payload = written(payload, self.service())?;
        let (caller, action) = (self.caller.clone(), action.map(str::to_owned));
        self.runtime.run(async move { caller.send_to_service(payload, action.as_deref()).await })?
    }

    /// Listens to a channel, or to all that a pattern matches (`sensor.*`); confirmed by the bus when this returns.
    ///
    /// # Errors
    ///
    /// As for [`crate::Caller::listen`], and [`BusError::Blocking`] where a runtime is already.
    pub fn listen<T>(&self, channel_or_pattern: &str) -> Result<Listening<T>, BusError>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let (caller, topic) = (self.caller.clone(), channel_or_pattern.to_owned());
        let messages = self.runtime.run(async move { caller.listen(&topic).await })??;
        Ok(Listening::new(self.runtime.clone(), messages))
    }

    /// The caller that this one drives: what typed stubs are made of, whose calls [`Caller::wait`] waits for.
    pub fn caller(&self) -> &caller::Caller {
        &self.caller
    }

    /// Waits for anything that can be awaited, a typed stub's call for example.
    ///
    /// ```
    /// # use daebus_caller::blocking::Caller;
    /// # use daebus_caller::{Call, CallError};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let caller = Caller::connect("memory://doc-blocking-wait", "user_service")?;
    /// // With a stub it reads: let users = UsersCaller::new(caller.caller().clone());
    /// let call: Call<u64> = caller.caller().send_request("count", ());
    /// let counted: Result<u64, CallError> = caller.wait(call)?;
    /// # assert!(matches!(counted, Err(CallError::NoService { .. })));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`BusError::Blocking`] where a runtime is already, [`BusError::Closed`] when the future panics.
    pub fn wait<F>(&self, future: F) -> Result<F::Output, BusError>
    where
        F: IntoFuture<IntoFuture: Send + 'static, Output: Send + 'static>,
    {
        self.runtime.run(future.into_future())
    }

    /// Closes the connection: calls in flight on other threads, later ones, and whoever listens end.
    ///
    /// Dropping the last handle does the same without waiting for it.
    pub fn close(&self) {
        let caller = self.caller.clone();
        // Where a runtime is already, the thread closes it by itself, a moment later.
        if self.runtime.run(async move { caller.close().await }).is_err() {
            let caller = self.caller.clone();
            self.runtime.spawn(async move { caller.close().await });
        }
    }
}

/// Written on this thread, so that the payload need not be one that can go to another.
fn written(payload: impl Serialize, channel: &str) -> Result<Box<RawValue>, BusError> {
    let written = encode(&payload).and_then(|json| RawValue::from_string(json.as_str().to_owned()));
    written.map_err(|error| BusError::encode(channel, &error))
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("blocking::Caller").field(&self.caller).finish()
    }
}
