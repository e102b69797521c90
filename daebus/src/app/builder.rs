//! The application: a service's name, its settings, its state, and what it mounts.

use std::time::Duration;

use daebus_caller::bus::QueueLimits;

use super::attach::Attachment;
use crate::blueprint::Blueprint;
use crate::dispatch::HandlerLimits;
use crate::feature::{Feature, Features, Repeater, Repeaters};
use crate::handler::States;
use crate::handler::layer::{AnyLayer, HandlerLayer};

/// An application: a service's name, its state, and the blueprints it mounts.
///
/// ```
/// use daebus::prelude::*;
///
/// #[action("greet")]
/// async fn greet(Payload(name): Payload<String>) -> String {
///     format!("hello, {name}")
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let service = Daebus::new("greeter")
///     .bus("memory://doc-greeter")
///     .register(blueprint_of!["greetings"; greet])
///     .start()
///     .await?;
///
/// let greeting: String = service.callers().to("greeter").send_request("greet", "Ada").await?;
/// assert_eq!(greeting, "hello, Ada");
/// service.stop().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "an application does nothing until it is run or started"]
pub struct Daebus {
    pub(super) name: String,
    pub(super) bus: Option<String>,
    pub(super) version: Option<String>,
    pub(super) description: Option<String>,
    pub(super) states: States,
    pub(super) blueprints: Vec<Blueprint>,
    pub(super) layers: Vec<AnyLayer>,
    pub(super) features: Features,
    pub(super) repeaters: Repeaters,
    pub(super) attachments: Vec<Attachment>,
    pub(super) limits: HandlerLimits,
    /// `None`: nobody says.
    pub(super) drain: Option<Duration>,
    pub(super) waits_for_bus: bool,
    /// The configured id of the instance.
    pub(super) instance_id: Option<String>,
    /// Whether every instance answers requests on the service's channel.
    pub(super) everyone: bool,
    #[cfg(feature = "args")]
    pub(super) given: Option<crate::args::Given>,
}

impl Daebus {
    /// An application that serves under this name, which is also the channel it answers on.
    ///
    /// The name is checked at the start: at most 255 bytes without control characters, not `caller:…`, `daebus:…`,
    /// `….responses` or `….workflows`.
    pub fn new(service: impl Into<String>) -> Self {
        Self {
            name: service.into(),
            bus: None,
            version: None,
            description: None,
            states: States::default(),
            blueprints: Vec::new(),
            layers: Vec::new(),
            features: Features::default(),
            repeaters: Repeaters::default(),
            attachments: Vec::new(),
            limits: HandlerLimits::default(),
            drain: None,
            waits_for_bus: true,
            instance_id: None,
            everyone: false,
            #[cfg(feature = "args")]
            given: None,
        }
    }

    /// Where the bus is: `redis://host:port/db`, `rediss://` (feature `tls`), `redis+unix://`, `redis-sentinel://`,
    /// `redis-cluster://`, or `memory://NAME` for one inside this process.
    ///
    /// The default is the variable `DAEBUS_URL`; without it the bus is `memory://default`, and a warning is logged.
    pub fn bus(mut self, url: impl Into<String>) -> Self {
        self.bus = Some(url.into());
        self
    }

    /// Sets the version of the service, which `$ping` and `$info` report. Any text; usually `env!("CARGO_PKG_VERSION")`.
    /// Defaults to none.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Sets a sentence about the service, which `$info` reports. Defaults to none.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Puts a value in that handlers take out as [`State<T>`](crate::State), each a clone; a large one goes into an
    /// `Arc`. One value a type.
    pub fn state<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.states.insert(value);
        self
    }

    /// Whether the start waits for the bus; the default is `true`.
    ///
    /// With `false` the service starts at once, and joins the bus as soon as it can be reached, which is logged. What
    /// doesn't need the bus works from the start. The service is ready when its subscriptions are made. If the server refuses
    /// the connection, for a wrong password for example, that is logged once and the connection is tried again.
    pub fn wait_for_bus(mut self, wait: bool) -> Self {
        self.waits_for_bus = wait;
        self
    }

    /// Sets the id of this instance among the instances of the service. Defaults to a random id,
    /// `<service>@<8 hex digits>`.
    ///
    /// Each process needs its own id. If another process uses the id, the start waits until its presence expires, at most
    /// 15 s, and fails if it is refreshed meanwhile. So a killed service restarts under its id within 15 s.
    pub fn instance_id(mut self, id: impl Into<String>) -> Self {
        self.instance_id = Some(id.into());
        self
    }

    /// Every instance of the service answers each request on the service's channel, as services of the Python package do.
    /// By default one of them does. Callers of this crate address a single instance and are not affected.
    pub fn everyone(mut self) -> Self {
        self.everyone = true;
        self
    }

    /// Puts a [`Feature`] in, which lives as long as the service does and which handlers take as `State<Arc<F>>`. The
    /// same type twice is an error at the start.
    pub fn feature<F: Feature>(mut self, feature: F) -> Self {
        if let Some(feature) = self.features.add(feature) {
            self.states.insert(feature);
        }
        self
    }

    /// Puts a [`Repeater`] in, which is run over and over while the service is.
    pub fn repeater<R: Repeater>(mut self, repeater: R) -> Self {
        self.repeaters.add(repeater);
        self
    }

    /// Mounts a blueprint's handlers. Two handlers under one name are an error at the start.
    pub fn register(mut self, blueprint: Blueprint) -> Self {
        self.blueprints.push(blueprint);
        self
    }

    /// Attaches a server that leads to the same handlers: [`Http`](crate::Http), [`WebSocket`](crate::WebSocket).
    pub fn attach(mut self, attachment: impl Into<Attachment>) -> Self {
        self.attachments.push(attachment.into());
        self
    }

    /// Wraps every action, listener, socket and route of every blueprint, outside the blueprint's own layers; the last layer
    /// added is outermost. For a WebSocket that connects, the layers run around the `connect` handler, or around nothing if there is
    /// none; a client that they refuse is disconnected with 1008. Hooks, schedules and threads are not wrapped, nor is what a route
    /// doesn't answer: [`Http::router`](crate::Http::router), [`Http::assets`](crate::Http::assets) and the service's own paths. See
    /// [`layer::from_fn`](crate::handler::layer::from_fn).
    pub fn layer(mut self, layer: impl HandlerLayer) -> Self {
        self.layers.push(AnyLayer::new(layer));
        self
    }

    /// How many handlers run at once, 256 unless set: half the threads that tokio keeps for blocking work, so that
    /// plain `fn` handlers at full load leave room for others'. Zero counts as one.
    pub fn concurrency(mut self, handlers: usize) -> Self {
        self.limits.concurrency = handlers.max(1);
        self
    }

    /// Sets how many requests may wait for their turn. Defaults to 1,024. Further requests are answered with `overloaded` and
    /// not run. The places are shared: one action whose requests all wait gets at most 8 of 9, so that a slow action
    /// leaves places to the others.
    pub fn backlog(mut self, requests: usize) -> Self {
        self.limits.backlog = requests;
        self
    }

    /// How many bytes a message may have, 16 MiB unless set. A larger request is answered with `invalid_payload`, a
    /// larger broadcast is dropped with a warning.
    pub fn max_message(mut self, bytes: usize) -> Self {
        self.limits.message_bytes = bytes;
        self
    }

    /// Sets how many requests, and how many bytes of them, may wait between the bus and their admission. Defaults to 8,192
    /// requests and 64 MiB. A request beyond that is answered with `overloaded` and not run.
    pub fn intake_queue(mut self, requests: usize, bytes: usize) -> Self {
        self.limits.intake = QueueLimits { messages: requests, bytes };
        self
    }

    /// Sets how many refusals (`overloaded`, `shutting_down`, `unknown_action`, …), and how many bytes of them, may wait to be
    /// published. Defaults to 262,144 refusals and 64 MiB. Callers beyond that get no answer; the log has their number.
    pub fn refusal_queue(mut self, refusals: usize, bytes: usize) -> Self {
        self.limits.refusals = QueueLimits { messages: refusals, bytes };
        self
    }

    /// Sets how many bytes of broadcasts may wait for each listener. Defaults to 64 MiB, and counts 128 bytes for each
    /// message beside its payload. Beyond that the oldest message is dropped; the log says when dropping begins, and how
    /// many messages were dropped when it ends.
    pub fn listener_queue(mut self, bytes: usize) -> Self {
        self.limits.listener_bytes = bytes;
        self
    }

    /// How long a handler may take where neither the caller nor the attribute says, five minutes unless set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.limits.timeout = timeout;
        self
    }

    /// How long a stopping service waits for the handlers that run, 30 s unless set.
    pub fn drain(mut self, within: Duration) -> Self {
        self.drain = Some(within);
        self
    }

    /// The name for an error's sentence.
    pub(super) fn shown_name(&self) -> String {
        if self.name.is_empty() { "the service".to_owned() } else { self.name.clone() }
    }
}
