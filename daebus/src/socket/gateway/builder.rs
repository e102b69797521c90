//! The configuration of the gateway.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::super::client::Client;
use super::access::Access;
use super::allowed::AllowList;
use crate::error::Mistake;

/// Decides whether a client may do what the allow-list has.
pub(super) type Authorize = Arc<dyn Fn(&Client, Access<'_>) -> bool + Send + Sync>;

/// What WebSocket clients may reach of the bus, without a handler for it. Set with
/// [`WebSocket::gateway`](crate::WebSocket::gateway).
///
/// Nothing is reachable that isn't named here. The service logs the list when it starts.
///
/// ```
/// use daebus::{Gateway, WebSocket};
///
/// let sockets = WebSocket::new().gateway(
///     Gateway::new()
///         .call("my_service", ["get_status"])
///         .subscribe(["notifications", "sensor.*"])
///         .publish(["chat"]),
/// );
/// # let _ = sockets;
/// ```
///
/// The module `daebus.js`, which the service serves at `/_service/daebus.js`, speaks the gateway's protocol:
///
/// ```js
/// import { connect } from "/_service/daebus.js";
///
/// const bus = connect();
/// const status = await bus.call("my_service", "get_status");
/// bus.on("notifications", (message) => console.log(message));
/// ```
///
/// The limits of a [`WebSocket`](crate::WebSocket) apply to its frames: rate, size, queue and origins. For each client, the payloads
/// of its calls in flight take at most `inbox_bytes` more, and answers that wait at most `queue_bytes`. Layers of the application
/// wrap handlers, and so don't apply.
#[derive(Clone)]
#[must_use = "a gateway is opened by WebSocket::gateway"]
pub struct Gateway {
    pub(super) allowed: AllowList,
    pub(super) authorize: Option<Authorize>,
    pub(super) limits: GatewayLimits,
}

/// The limits of one client.
#[derive(Debug, Clone, Copy)]
pub(super) struct GatewayLimits {
    pub(super) calls: usize,
    pub(super) subscriptions: usize,
    pub(super) call_timeout: Duration,
}

impl Default for Gateway {
    fn default() -> Self {
        Self::new()
    }
}

impl Gateway {
    /// A gateway through which nothing is reachable.
    pub fn new() -> Self {
        let limits = GatewayLimits {
            // A page with many widgets that all load at once.
            calls: 32,
            subscriptions: 64,
            // Below the 30 s after which the TypeScript client of Python Daebus stops waiting.
            call_timeout: Duration::from_secs(25),
        };
        Self { allowed: AllowList::default(), authorize: None, limits }
    }

    /// Allows calls of these actions of a service. Actions are named one by one; patterns and the framework's own actions,
    /// which begin with `$`, are configuration errors.
    pub fn call<I>(mut self, service: impl Into<String>, actions: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.allowed.add_calls(service.into(), actions.into_iter().map(Into::into));
        self
    }

    /// Allows subscriptions to these channels. With a Redis pattern, `sensor.*`, clients may subscribe to every channel that
    /// it matches and to the pattern itself. A client's own patterns are not parsed: `sensor.[12]` is the channel of this
    /// name.
    ///
    /// A pattern that covers reserved names is a configuration error: one that matches a name with `daebus:`, `caller:` or
    /// `__key` at its beginning, or one that requires an end that `.responses` or `.workflows` fits. Messages on channels with
    /// these ends that `sensor.*` matches are not forwarded.
    pub fn subscribe<I>(mut self, channels: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.allowed.add_subscriptions(channels.into_iter().map(Into::into));
        self
    }

    /// Allows broadcasts on these channels, or on those that a pattern matches, with the rules of
    /// [`subscribe`](Self::subscribe). A broadcast that is an object with a field `action` is refused, since a service would
    /// take it for a request.
    pub fn publish<I>(mut self, channels: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.allowed.add_broadcasts(channels.into_iter().map(Into::into));
        self
    }

    /// Sets a function that decides for each client and each frame, after the allow-list. The identity is what the
    /// [`socket_connect`](macro@crate::socket_connect) handler stored with [`Client::set`](crate::Client::set); no frame of a
    /// client is handled before this handler has let the client in. A subscription is checked when it is made. A panic
    /// refuses.
    ///
    /// ```
    /// use daebus::prelude::*;
    /// use daebus::{Access, Gateway};
    ///
    /// #[socket_connect]
    /// async fn identify(Payload(query): Payload<Value>, client: Client) -> Result<(), BoxError> {
    ///     // An application would verify a token here.
    ///     client.set("admin", query["token"] == "secret")?;
    ///     Ok(())
    /// }
    ///
    /// let gateway = Gateway::new().call("heating", ["read", "switch"]).authorize(|client, access| match access {
    ///     Access::Call { action: "switch", .. } => client.get("admin").unwrap_or(false),
    ///     _ => true,
    /// });
    /// # let _ = gateway;
    /// ```
    pub fn authorize(mut self, allow: impl Fn(&Client, Access<'_>) -> bool + Send + Sync + 'static) -> Self {
        self.authorize = Some(Arc::new(allow));
        self
    }

    /// Sets how many calls of one client may be in flight. Defaults to 32. One more is answered with `too_many_calls`, as is a
    /// call whose payload doesn't fit into [`WebSocket::inbox_bytes`](crate::WebSocket::inbox_bytes) together with those of
    /// the client's calls in flight.
    pub fn max_calls(mut self, calls: usize) -> Self {
        self.limits.calls = calls;
        self
    }

    /// Sets how many subscriptions one client may have. Defaults to 64. One more is answered with
    /// `too_many_subscriptions`.
    pub fn max_subscriptions(mut self, subscriptions: usize) -> Self {
        self.limits.subscriptions = subscriptions;
        self
    }

    /// Sets how long a call may take. Defaults to 25 s. A client may ask for less with `timeout_ms`.
    pub fn call_timeout(mut self, timeout: Duration) -> Self {
        self.limits.call_timeout = timeout;
        self
    }

    /// Returns what is configured wrongly.
    pub(in crate::socket) fn mistakes(&self) -> Vec<Mistake> {
        let mut mistakes = self.allowed.mistakes();
        if self.limits.call_timeout.is_zero() {
            mistakes.push(Mistake::new("the timeout must be greater than zero").at("Gateway::call_timeout"));
        }
        mistakes
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway")
            .field("allowed", &self.allowed)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
