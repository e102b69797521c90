//! The application: what is put into it, how it starts, serves and stops.

mod attach;
mod banner;
mod bus;
mod hooks;
mod service;
mod signals;
mod startup;

use std::time::Duration;

use daebus_caller::BoxError;
use daebus_caller::wire::RawJson;
use tower_layer::Layer;
use tower_service::Service as TowerService;

pub use attach::Attachment;
#[cfg(feature = "testing")]
pub(crate) use attach::Reach;
pub use service::Service;
pub(crate) use startup::Surroundings;

use crate::answer::Limits;
use crate::blueprint::Blueprint;
use crate::context::Context;
use crate::error::Result;
use crate::layer::{AnyLayer, HandlerService};
use crate::state::States;

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
    name: String,
    bus: Option<String>,
    states: States,
    blueprints: Vec<Blueprint>,
    layers: Vec<AnyLayer>,
    attachments: Vec<Attachment>,
    limits: Limits,
    drain: Duration,
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
            states: States::default(),
            blueprints: Vec::new(),
            layers: Vec::new(),
            attachments: Vec::new(),
            limits: Limits::default(),
            drain: Duration::from_secs(30),
        }
    }

    /// Where the bus is: `redis://host:port/db`, `rediss://` (feature `tls`), `redis+unix://`, `redis-sentinel://`,
    /// `redis-cluster://`, or `memory://NAME` for one inside this process.
    ///
    /// Without it the variable `DAEBUS_URL` says, else the bus is `memory://default` and a warning says so.
    pub fn bus(mut self, url: impl Into<String>) -> Self {
        self.bus = Some(url.into());
        self
    }

    /// Puts a value in that handlers take out as [`State<T>`](crate::State), each a clone; a large one goes into an
    /// `Arc`. One value a type.
    pub fn state<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.states.insert(value);
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

    /// Wraps every action, listener and socket of every blueprint, outside the blueprint's own layers; the last layer added
    /// is outermost. See [`layer::from_fn`](crate::layer::from_fn).
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<HandlerService> + Send + Sync + 'static,
        L::Service: TowerService<Context, Response = RawJson, Error: Into<BoxError>, Future: Send + 'static>
            + Clone
            + Send
            + Sync
            + 'static,
    {
        self.layers.push(AnyLayer::new(layer));
        self
    }

    /// How many handlers run at once, 256 unless set: half the threads that tokio keeps for blocking work, so that
    /// plain `fn` handlers at full load leave room for others'. Zero counts as one.
    pub fn concurrency(mut self, handlers: usize) -> Self {
        self.limits.concurrency = handlers.max(1);
        self
    }

    /// How many requests wait for their turn, 1,024 unless set. One more is answered with `overloaded` and not run.
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

    /// How long a handler may take where neither the caller nor the attribute says, five minutes unless set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.limits.timeout = timeout;
        self
    }

    /// How long a stopping service waits for the handlers that run, 30 s unless set.
    pub fn drain(mut self, within: Duration) -> Self {
        self.drain = within;
        self
    }

    /// Starts the service and serves until SIGINT or SIGTERM, or until a handler asks to stop; then drains.
    ///
    /// A second signal ends the process at once, with exit code 130 or 143. So does a plain `fn` handler that hasn't
    /// returned when the drain time is over, with exit code 1: its thread can't be stopped otherwise.
    ///
    /// # Errors
    ///
    /// When the service can't start, or handlers had to be cut off at its end. Returned from `main` either gives exit
    /// code 1 and the reason.
    pub async fn run(self) -> Result<()> {
        signals::run(self).await
    }

    /// Starts the service and returns once it is ready: bus connected, `on_start` done, subscriptions confirmed.
    ///
    /// A Redis that isn't there is waited for, with one line in the log that says so.
    ///
    /// # Errors
    ///
    /// When the application is put together wrongly (every mistake is told), the bus refuses us, or `on_start` fails.
    pub async fn start(self) -> Result<Service> {
        startup::start(self, Surroundings::real()).await
    }

    /// Starts the service somewhere else than in the world.
    #[cfg(feature = "testing")]
    pub(crate) async fn start_in(self, surroundings: Surroundings) -> Result<Service> {
        startup::start(self, surroundings).await
    }
}
