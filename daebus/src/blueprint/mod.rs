//! Blueprints: groups of handlers that an application mounts, and the registry of all handlers.

mod place;
mod registry;
mod trigger;

pub use place::{BlueprintPath, HandlerPlace, OutsideOfBlueprints, stands_in};
pub(crate) use registry::Registry;
use trigger::Registration;
pub use trigger::Trigger;

#[cfg(feature = "testing")]
use crate::handler::Needs;
use crate::handler::kind::{Action, Background, Hook, Listen, MemberHook, Socket, SocketBinary, Thread};
use crate::handler::layer::{AnyLayer, HandlerLayer};
use crate::handler::{Endpoint, Handler};
use crate::http::route::Route;
use crate::http::{AnyHttpLayer, HttpLayer};
use crate::tasks::{Schedule, ThreadOptions};

/// A group of handlers, mounted with [`Daebus::register`](crate::Daebus::register).
///
/// [`#[blueprint("users")]`](macro@crate::blueprint) on a module creates a blueprint from the functions of the module. Without
/// attributes:
///
/// ```
/// use daebus::prelude::*;
///
/// async fn add(Payload((a, b)): Payload<(i64, i64)>) -> Json<i64> {
///     Json(a + b)
/// }
///
/// let arithmetic = Blueprint::new("arithmetic").action("add", add);
/// # let _ = arithmetic;
/// ```
#[derive(Debug, Clone)]
pub struct Blueprint {
    name: &'static str,
    registrations: Vec<Registration>,
    routes: Vec<Route>,
    prefix: String,
    layers: Vec<AnyLayer>,
    http_layers: Vec<AnyHttpLayer>,
}

impl Blueprint {
    /// Creates a blueprint without handlers. The name appears in error messages and in the log.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            registrations: Vec::new(),
            routes: Vec::new(),
            prefix: String::new(),
            layers: Vec::new(),
            http_layers: Vec::new(),
        }
    }

    /// Adds a handler of requests for the action `name`.
    #[must_use]
    #[track_caller]
    pub fn action<Args, H: Handler<Action, Args>>(self, name: &'static str, handler: H) -> Self {
        self.endpoint(Trigger::Action(name), Endpoint::of(handler))
    }

    /// Adds a listener on a channel, or on all channels that match a Redis pattern.
    #[must_use]
    #[track_caller]
    pub fn listen<Args, H: Handler<Listen, Args>>(self, topic: &'static str, handler: H) -> Self {
        self.endpoint(Trigger::Listen(topic), Endpoint::of(handler))
    }

    /// Adds a handler of WebSocket messages of the type `kind`.
    #[must_use]
    #[track_caller]
    pub fn socket<Args, H: Handler<Socket, Args>>(self, kind: &'static str, handler: H) -> Self {
        self.endpoint(Trigger::Socket(kind), Endpoint::of(handler))
    }

    /// Adds a handler that runs when a WebSocket client connects. The payload is the query of the upgrade request. If the
    /// handler returns an error, the connection is closed with code 1008 and the error message.
    #[must_use]
    #[track_caller]
    pub fn socket_connect<Args, H: Handler<Socket, Args>>(self, handler: H) -> Self {
        self.endpoint(Trigger::Socket("connect"), Endpoint::of(handler))
    }

    /// Adds a handler that runs when a WebSocket client has disconnected. The payload is the query of the upgrade request.
    #[must_use]
    #[track_caller]
    pub fn socket_disconnect<Args, H: Handler<Socket, Args>>(self, handler: H) -> Self {
        self.endpoint(Trigger::Socket("disconnect"), Endpoint::of(handler))
    }

    /// Adds a handler of WebSocket messages of the type `register`, with which clients identify themselves.
    #[must_use]
    #[track_caller]
    pub fn socket_register<Args, H: Handler<Socket, Args>>(self, handler: H) -> Self {
        self.endpoint(Trigger::Socket("register"), Endpoint::of(handler))
    }

    /// Adds a handler of binary WebSocket frames, which takes their content as [`Bytes`](axum::body::Bytes). Without such a
    /// handler, binary frames are read as JSON.
    #[must_use]
    #[track_caller]
    pub fn socket_binary<Args, H: Handler<SocketBinary, Args>>(self, handler: H) -> Self {
        self.endpoint(Trigger::SocketBinary, Endpoint::of(handler))
    }

    /// Adds a handler that runs when the service starts, before it receives messages. If the handler fails, the start fails
    /// with [`Error::OnStart`](crate::Error::OnStart).
    #[must_use]
    #[track_caller]
    pub fn on_start<Args, H: Handler<Hook, Args>>(self, handler: H) -> Self {
        self.endpoint(Trigger::OnStart, Endpoint::of(handler))
    }

    /// Adds a handler that runs when the service stops, after the last handler has ended. These handlers run in reverse order
    /// of their registration.
    #[must_use]
    #[track_caller]
    pub fn on_stop<Args, H: Handler<Hook, Args>>(self, handler: H) -> Self {
        self.endpoint(Trigger::OnStop, Endpoint::of(handler))
    }

    /// Adds a handler that runs when another instance of the service has joined, and once for each instance that is found at
    /// the start.
    #[must_use]
    #[track_caller]
    pub fn member_joined<Args, H: Handler<MemberHook, Args>>(self, handler: H) -> Self {
        self.endpoint(Trigger::MemberJoined, Endpoint::of(handler))
    }

    /// Adds a handler that runs when another instance of the service has left, or its presence has expired.
    #[must_use]
    #[track_caller]
    pub fn member_left<Args, H: Handler<MemberHook, Args>>(self, handler: H) -> Self {
        self.endpoint(Trigger::MemberLeft, Endpoint::of(handler))
    }

    /// Adds a handler that runs when the service has joined the bus, and after each reconnect.
    #[must_use]
    #[track_caller]
    pub fn bus_connected<Args, H: Handler<Hook, Args>>(self, handler: H) -> Self {
        self.endpoint(Trigger::BusConnected, Endpoint::of(handler))
    }

    /// Adds a handler that runs when the connection to the bus is lost.
    #[must_use]
    #[track_caller]
    pub fn bus_disconnected<Args, H: Handler<Hook, Args>>(self, handler: H) -> Self {
        self.endpoint(Trigger::BusDisconnected, Endpoint::of(handler))
    }

    /// Adds a handler that runs on a schedule.
    #[must_use]
    #[track_caller]
    pub fn background<Args, H: Handler<Background, Args>>(
        self,
        name: &'static str,
        schedule: Schedule,
        handler: H,
    ) -> Self {
        self.endpoint(Trigger::Background(name, schedule), Endpoint::of(handler))
    }

    /// Adds a handler that runs as a task as long as the service runs. A plain `fn`, which runs on an operating system thread,
    /// needs the attribute [`thread`](macro@crate::thread).
    #[must_use]
    #[track_caller]
    pub fn thread<Args, H: Handler<Thread, Args>>(
        self,
        name: &'static str,
        options: ThreadOptions,
        handler: H,
    ) -> Self {
        self.endpoint(Trigger::Thread(name, options), Endpoint::of(handler))
    }

    /// Wraps every action, listener, socket and route of this blueprint in a layer, including those added later. The last layer
    /// added is the outermost. Hooks, schedules and threads are not wrapped.
    #[must_use]
    pub fn layer(mut self, layer: impl HandlerLayer) -> Self {
        self.layers.push(AnyLayer::new(layer));
        self
    }

    /// Wraps every route of this blueprint in a tower layer, inside the layers of [`Http`](crate::Http::layer). The last layer
    /// added is the outermost.
    ///
    /// Use it for concerns of HTTP only, such as compression and request IDs. For authentication use [`layer`](Self::layer), which
    /// wraps actions and sockets as well. `#[route("/path", layer = …)]` wraps a single route.
    ///
    /// ```
    /// use daebus::Blueprint;
    /// use daebus::axum::http::HeaderValue;
    /// use daebus::axum::middleware::map_response;
    /// use daebus::axum::response::Response;
    ///
    /// async fn no_store(mut response: Response) -> Response {
    ///     response
    ///         .headers_mut()
    ///         .insert("cache-control", HeaderValue::from_static("no-store"));
    ///     response
    /// }
    ///
    /// let accounts = Blueprint::new("accounts").http_layer(map_response(no_store));
    /// # let _ = accounts;
    /// ```
    #[must_use]
    pub fn http_layer(mut self, layer: impl HttpLayer) -> Self {
        self.http_layers.push(AnyHttpLayer::new(layer));
        self
    }

    /// Adds the handlers of one annotated function.
    #[doc(hidden)]
    #[must_use]
    pub fn mount<M: Mount>(self) -> Self {
        M::mount(self)
    }

    /// Adds one endpoint.
    #[doc(hidden)]
    #[must_use]
    pub fn endpoint(mut self, trigger: Trigger, endpoint: Endpoint) -> Self {
        self.registrations.push(Registration::new(trigger, endpoint));
        self
    }

    /// Adds one HTTP route.
    #[doc(hidden)]
    #[must_use]
    pub fn route(mut self, route: Route) -> Self {
        self.routes.push(route);
        self
    }

    /// Sets a path prefix for every HTTP route of this blueprint: with `"/api"`, `#[route("/users")]` is served at
    /// `/api/users`. The prefix can't contain parameters. Names on the bus don't change. Defaults to no prefix.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Returns the name of the blueprint.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns whether a handler needs an attached WebSocket server.
    #[cfg(feature = "testing")]
    pub(crate) fn needs_web_socket(&self) -> bool {
        let of_routes = self.routes.iter().map(|route| &route.definition.needs);
        let mut needs = self
            .registrations
            .iter()
            .map(|registration| &registration.endpoint.definition.needs)
            .chain(of_routes);
        needs.any(Needs::has_web_socket)
    }

    /// Returns the routes with the prefix and the layers of the blueprint.
    pub(crate) fn routes(&self) -> impl Iterator<Item = Route> {
        let in_blueprint = |route: &Route| Route {
            prefix: self.prefix.clone(),
            layers: self.layers.clone(),
            http_layers: [route.http_layers.clone(), self.http_layers.clone()].concat(),
            ..route.clone()
        };
        self.routes.iter().map(in_blueprint)
    }

    /// Returns the handlers, wrapped in the blueprint's layers.
    pub(crate) fn into_registrations(self) -> impl Iterator<Item = Registration> {
        let Self { registrations, layers, .. } = self;
        registrations.into_iter().map(move |registration| registration.layered(&layers))
    }
}

/// The object of a blueprint that is an `impl`: handlers on several threads share it. As one bound, so that the compiler reports
/// a field that threads can't share once, and not for each handler.
pub trait BlueprintObject: Send + Sync + 'static {}

impl<T: Send + Sync + 'static> BlueprintObject for T {}

/// A function with handler attributes. `#[action]` and the other attributes implement this trait for the type of the function.
#[diagnostic::on_unimplemented(
    message = "this function is not a handler",
    label = "this function has no handler attribute",
    note = "put an attribute on the function: `#[action(\"…\")]`, `#[listen(\"…\")]`, `#[route(\"/…\")]`, …"
)]
pub trait Mount {
    /// Adds the function's endpoints.
    #[must_use]
    fn mount(blueprint: Blueprint) -> Blueprint;
}
