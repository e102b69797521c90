//! The application: name, settings, states, blueprints and servers of a service.

use std::time::Duration;

use daebus_caller::bus::QueueLimits;

use super::attach::Attachment;
use crate::blueprint::Blueprint;
use crate::dispatch::HandlerLimits;
use crate::feature::{Feature, Features, Repeater, Repeaters};
use crate::handler::States;
use crate::handler::layer::{AnyLayer, HandlerLayer};

/// An application: the name of a service, its settings and states, and the blueprints that it mounts.
///
/// [`run`](Self::run) runs it as a process until a signal arrives; [`start`](Self::start) starts it and returns a
/// [`Service`](crate::Service).
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
/// let greeting: String =
///     service.callers().to("greeter").send_request("greet", "Ada").await?;
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
    /// `None` if it is not set in code.
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
    /// Creates an application with this service name, which is also the channel of its requests.
    ///
    /// The name is validated at the start: it has at most 255 bytes and no control characters, doesn't begin with `caller:` or
    /// `daebus:`, and doesn't end with `.responses` or `.workflows`.
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

    /// Sets the URL of the bus: `redis://host:port/db`, `rediss://` (feature `tls`), `redis+unix://`, `redis-sentinel://`,
    /// `redis-cluster://`, or `memory://NAME` for a bus inside this process.
    ///
    /// Defaults to the environment variable `DAEBUS_URL`. If that is unset, the bus is `memory://default` and a warning is
    /// logged; a service that systemd has started fails to start instead.
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

    /// Sets the description of the service, which `$info` reports. Defaults to none.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Adds a value that handlers take as [`State<T>`](crate::State). Each handler gets a clone, so a large value belongs in an
    /// `Arc`. Two values of the same type are an error at the start.
    pub fn state<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.states.insert(value);
        self
    }

    /// Sets whether the start waits for the bus. Defaults to `true`.
    ///
    /// With `false`, the service starts immediately and joins the bus as soon as the bus is available, which is logged. HTTP,
    /// WebSockets and schedules work from the start. The service is ready once its subscriptions are confirmed. If the server
    /// refuses the connection, because of a wrong password for example, the refusal is logged once and the connection is
    /// retried.
    pub fn wait_for_bus(mut self, wait: bool) -> Self {
        self.waits_for_bus = wait;
        self
    }

    /// Sets the id of this instance among the instances of the service. Defaults to a random id,
    /// `<service>@<8 hex digits>`.
    ///
    /// Each process needs its own id. If another process uses the id, the start waits until the presence of that process
    /// expires, at most 15 s, and fails if it is refreshed in the meantime. A killed service can therefore restart under its id
    /// within 15 s.
    pub fn instance_id(mut self, id: impl Into<String>) -> Self {
        self.instance_id = Some(id.into());
        self
    }

    /// Makes every instance of the service answer each request on the service's channel, as services of the Python package do.
    /// By default, one instance answers each request. Callers of this crate address a single instance and are not affected.
    pub fn everyone(mut self) -> Self {
        self.everyone = true;
        self
    }

    /// Adds a [`Feature`], which lives as long as the service and which handlers take as `State<Arc<F>>`. Two features of the
    /// same type are an error at the start.
    pub fn feature<F: Feature>(mut self, feature: F) -> Self {
        if let Some(feature) = self.features.add(feature) {
            self.states.insert(feature);
        }
        self
    }

    /// Adds a [`Repeater`], which runs repeatedly as long as the service runs.
    pub fn repeater<R: Repeater>(mut self, repeater: R) -> Self {
        self.repeaters.add(repeater);
        self
    }

    /// Mounts the handlers of a blueprint. Two handlers under one name are an error at the start.
    pub fn register(mut self, blueprint: Blueprint) -> Self {
        self.blueprints.push(blueprint);
        self
    }

    /// Attaches a server: [`Http`](crate::Http) or [`WebSocket`](crate::WebSocket). A service has at most one of each.
    pub fn attach(mut self, attachment: impl Into<Attachment>) -> Self {
        self.attachments.push(attachment.into());
        self
    }

    /// Wraps every action, listener, socket and route of every blueprint in a layer, outside the layers of the blueprint. The
    /// last layer added is the outermost. See [`layer::from_fn`](crate::handler::layer::from_fn).
    ///
    /// When a WebSocket client connects, the layers wrap the `connect` handler, and also run if there is none. A client that a
    /// layer rejects is disconnected with code 1008.
    ///
    /// Hooks, schedules and threads are not wrapped. Nor are HTTP requests that no route handles: those for
    /// [`Http::router`](crate::Http::router), [`Http::assets`](crate::Http::assets) and the paths of the service itself.
    pub fn layer(mut self, layer: impl HandlerLayer) -> Self {
        self.layers.push(AnyLayer::new(layer));
        self
    }

    /// Sets the maximum number of handlers that run concurrently. Defaults to 256, half of tokio's threads for blocking work, so
    /// that plain `fn` handlers at full load leave threads for other work. Zero counts as one.
    pub fn concurrency(mut self, handlers: usize) -> Self {
        self.limits.concurrency = handlers.max(1);
        self
    }

    /// Sets the maximum number of admitted requests that wait to run. Defaults to 1,024. Further requests are answered with
    /// `overloaded` and not run. The requests of a single action take at most 8/9 of these places, so that a slow action leaves
    /// places for the others.
    pub fn backlog(mut self, requests: usize) -> Self {
        self.limits.backlog = requests;
        self
    }

    /// Sets the maximum size of a message in bytes. Defaults to 16 MiB. A larger request is answered with `invalid_payload`, and
    /// a larger broadcast is dropped with a warning.
    pub fn max_message(mut self, bytes: usize) -> Self {
        self.limits.message_bytes = bytes;
        self
    }

    /// Sets the maximum number of received requests, and of their bytes, that wait for admission. Defaults to 8,192 requests
    /// and 64 MiB. Further requests are answered with `overloaded` and not run.
    pub fn intake_queue(mut self, requests: usize, bytes: usize) -> Self {
        self.limits.intake = QueueLimits { messages: requests, bytes };
        self
    }

    /// Sets the maximum number of refusals (`overloaded`, `shutting_down`, `unknown_action`, …), and of their bytes, that wait
    /// to be published. Defaults to 262,144 refusals and 64 MiB. Further refusals are dropped, and their number is logged.
    pub fn refusal_queue(mut self, refusals: usize, bytes: usize) -> Self {
        self.limits.refusals = QueueLimits { messages: refusals, bytes };
        self
    }

    /// Sets the maximum number of bytes of broadcasts that wait for each listener. Each message counts as its payload and 128
    /// bytes. Defaults to 64 MiB. If the queue is full, the oldest message is dropped; the beginning and the end of dropping are
    /// logged, with the number of dropped messages.
    pub fn listener_queue(mut self, bytes: usize) -> Self {
        self.limits.listener_bytes = bytes;
        self
    }

    /// Sets the timeout of handlers for which neither the caller nor the attribute sets one. Defaults to five minutes.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.limits.timeout = timeout;
        self
    }

    /// Sets how long a stopping service waits for running handlers. Defaults to 30 s.
    pub fn drain(mut self, within: Duration) -> Self {
        self.drain = Some(within);
        self
    }

    /// Returns the name for error messages.
    pub(super) fn shown_name(&self) -> String {
        if self.name.is_empty() { "the service".to_owned() } else { self.name.clone() }
    }
}
