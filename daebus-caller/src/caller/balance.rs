//! How calls are distributed over the instances of a service.

use crate::wire::{InstanceId, NameError};

/// How calls are distributed over the instances of the called service.
///
/// Instances that are draining are not selected. A service without known instances, one in Python for example, is called on
/// its own channel, whatever the balance is.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// use daebus_caller::{Balance, CallError, Caller};
/// use serde_json::{Value, json};
///
/// let caller = Caller::connect("memory://doc-balance", "user_service").await?.balance(Balance::LeastInFlight);
/// let user: Result<Value, CallError> = caller.send_request("get_user", json!({"id": 7})).await;
///
/// // One call: the instance that is responsible for this tenant.
/// let user: Result<Value, CallError> = caller.send_request("get_user", json!({"id": 7})).key("tenant-a").await;
/// # let _ = user;
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Balance {
    /// One instance after the other.
    #[default]
    RoundRobin,
    /// The instance with the fewest calls in flight from callers that share this caller's connection.
    LeastInFlight,
    /// A random instance.
    Random,
    /// The instance that is responsible for the key: the same key reaches the same instance while the instances stay the
    /// same, and if one leaves, only its keys move. The key is the one of [`Call::key`](crate::Call::key), otherwise the
    /// encoded payload.
    ByKey,
}

/// Which instance a call is sent to.
#[derive(Debug, Clone)]
pub(super) enum Choice {
    Any(Balance),
    ByKey(String),
    Named(InstanceId),
    /// An id that can't be one; reported when the call is awaited.
    Invalid(Box<NameError>),
}

impl Default for Choice {
    fn default() -> Self {
        Self::Any(Balance::default())
    }
}
