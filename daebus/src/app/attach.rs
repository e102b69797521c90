//! The servers that an application attaches: HTTP and WebSockets.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

#[cfg(feature = "testing")]
use crate::blueprint::Blueprint;
use crate::blueprint::Registry;
use crate::error::{Error, Mistake, Result};
use crate::handler::{Core, States};
use crate::http::{Http, Metrics, PathService, Plan, RouteRuntime, Server};
use crate::runtime::Workers;
use crate::socket::{Acceptor, Sockets, WebSocket};

/// A server to attach to an application with [`Daebus::attach`](crate::Daebus::attach).
#[derive(Debug)]
#[non_exhaustive]
pub enum Attachment {
    /// An HTTP server.
    Http(Box<Http>),
    /// WebSockets.
    WebSocket(Box<WebSocket>),
}

impl From<Http> for Attachment {
    fn from(http: Http) -> Self {
        Self::Http(Box::new(http))
    }
}

impl From<WebSocket> for Attachment {
    fn from(web_socket: WebSocket) -> Self {
        Self::WebSocket(Box::new(web_socket))
    }
}

/// How the servers accept connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binding {
    /// On the addresses that the application configures.
    Configured,
    /// In memory only. No address is bound.
    #[cfg(feature = "testing")]
    InMemory,
}

/// Attaches servers with default settings if the handlers need one and the application has none, so that a test of a few
/// handlers doesn't have to configure their addresses.
#[cfg(feature = "testing")]
pub(super) fn complete(attachments: &mut Vec<Attachment>, blueprints: &[Blueprint]) {
    let has_web_socket = attachments.iter().any(|attachment| matches!(attachment, Attachment::WebSocket(_)));
    let lacks_web_socket = !has_web_socket && blueprints.iter().any(Blueprint::needs_web_socket);
    if lacks_web_socket {
        attachments.push(WebSocket::new().into());
    }
    let has_http = attachments.iter().any(|attachment| matches!(attachment, Attachment::Http(_)));
    let has_routes = blueprints.iter().any(|blueprint| blueprint.routes().next().is_some());
    if !has_http && (has_routes || lacks_web_socket) {
        attachments.push(Http::bind("127.0.0.1:0").into());
    }
}

/// Provides the attached WebSockets to the handlers.
pub(super) fn announce(attachments: &[Attachment], states: &mut States) {
    let web_socket = attachments.iter().find_map(|attachment| match attachment {
        Attachment::WebSocket(web_socket) => Some(web_socket),
        Attachment::Http(_) => None,
    });
    if let Some(web_socket) = web_socket {
        states.attach_web_socket(web_socket.sockets().clone());
    }
}

/// The attached servers, validated against the handlers.
#[derive(Debug, Default)]
pub(super) struct Attached {
    http: Option<Plan>,
    sockets: Option<AttachedSockets>,
}

/// WebSockets, and their own server if they have one.
#[derive(Debug)]
struct AttachedSockets {
    web_socket: WebSocket,
    /// Set before a server accepts WebSockets.
    acceptor: Arc<OnceLock<Acceptor>>,
    own: Option<Plan>,
}

impl Attached {
    /// Validates the attachments. Also returns all mistakes.
    pub(super) fn new(attachments: Vec<Attachment>, registry: &Registry) -> (Self, Vec<Mistake>) {
        let mut mistakes = Vec::new();
        let (mut https, mut web_sockets) = (Vec::new(), Vec::new());
        for attachment in attachments {
            match attachment {
                Attachment::Http(http) => https.push(*http),
                Attachment::WebSocket(web_socket) => web_sockets.push(*web_socket),
            }
        }
        if https.len() > 1 {
            mistakes.push(Mistake::new("two Http are attached, but a service has only one: remove one, and serve a second port through a proxy"));
        }
        if web_sockets.len() > 1 {
            mistakes.push(Mistake::new("two WebSocket are attached, but a service has only one: remove one"));
        }
        let mut http = https.pop();
        if let (Some(http), Some(module)) = (&mut http, web_sockets.last().and_then(WebSocket::script)) {
            http.serve_script(module);
        }
        let mut services: Vec<PathService> = Vec::new();
        let mut collect = |found: Vec<Mistake>| mistakes.extend(found);
        let address = http.as_ref().map(Http::address);
        let has_own_port = |sockets: &WebSocket| sockets.own_address(address).is_some();
        if http.as_ref().is_some_and(Http::refuses_sockets_elsewhere) && web_sockets.iter().any(has_own_port)
        {
            collect(vec![Mistake::new(
                "Http::layer doesn't wrap WebSockets on a port of their own: use Daebus::layer, which wraps routes and sockets, \
                 or leave out WebSocket::port, or add .allow_sockets_without_layers() to Http if this is intended",
            )]);
        }
        let sockets = web_sockets.pop().and_then(|web_socket| {
            AttachedSockets::new(web_socket, http.as_ref(), registry, &mut services)
                .map_err(&mut collect)
                .ok()
        });
        let http = match http {
            Some(http) => Plan::new(http, &registry.routes, services).map_err(&mut collect).ok(),
            None => {
                collect(unreachable_routes(registry));
                None
            }
        };
        (Self { http, sockets }, mistakes)
    }

    /// Binds the addresses, before anything else of the service runs. Until [`Bound::serve`] the servers answer that the
    /// service is starting.
    ///
    /// # Errors
    ///
    /// Returns an error if an address can't be bound.
    pub(super) async fn bind(self, binding: Binding, workers: &Workers) -> Result<Bound> {
        let http = match self.http {
            Some(plan) => Some(Address::bind(plan, binding, "HTTP", workers).await?),
            None => None,
        };
        let sockets = match self.sockets {
            Some(AttachedSockets { web_socket, acceptor, own }) => {
                let own = match own {
                    Some(plan) => Some(Address::bind(plan, binding, "WebSockets", workers).await?),
                    None => None,
                };
                Some(BoundSockets { web_socket, acceptor, own })
            }
            None => None,
        };
        Ok(Bound { http, sockets })
    }
}

impl AttachedSockets {
    /// Adds the WebSockets to the `services` of the HTTP server, or gives them a server of their own.
    fn new(
        web_socket: WebSocket,
        http: Option<&Http>,
        registry: &Registry,
        services: &mut Vec<PathService>,
    ) -> Result<Self, Vec<Mistake>> {
        let mistakes = web_socket.mistakes(registry);
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let acceptor = Arc::new(OnceLock::new());
        let service = path_service(&web_socket, &acceptor);
        let own = match (web_socket.own_address(http.map(Http::address)), http) {
            (Some(address), _) => {
                let mut server = Http::of_sockets(address, http, web_socket.most_clients());
                if let Some(module) = web_socket.script() {
                    server.serve_script(module);
                }
                Some(Plan::new(server, &[], vec![service])?)
            }
            (None, Some(_)) => {
                services.push(service);
                None
            }
            (None, None) => {
                return Err(vec![Mistake::new(
                    "WebSockets are attached, but there is no HTTP server whose address they could share: add \
                     .attach(Http::bind(\"0.0.0.0:8080\")), or give them a port of their own, WebSocket::new().port(8081)",
                )]);
            }
        };
        Ok(Self { web_socket, acceptor, own })
    }
}

fn path_service(web_socket: &WebSocket, acceptor: &Arc<OnceLock<Acceptor>>) -> PathService {
    let acceptor = Arc::clone(acceptor);
    PathService {
        path: web_socket.path_name().to_owned(),
        who: "WebSocket".to_owned(),
        make: Box::new(move |_| acceptor.get().map(Acceptor::upgrades).unwrap_or_default()),
    }
}

/// Returns a mistake for each route, since there is no HTTP server.
fn unreachable_routes(registry: &Registry) -> Vec<Mistake> {
    let routes = registry.routes.iter();
    routes
        .map(|route| {
            Mistake::new(format!(
                "the route {route} needs an HTTP server: add .attach(Http::bind(\"0.0.0.0:8080\"))"
            ))
            .at(route.definition.source)
        })
        .collect()
}

/// A server that answers that the service is starting, and its plan for afterwards.
#[derive(Debug)]
struct Address {
    plan: Plan,
    server: Server,
    /// `None` if the server doesn't listen.
    addr: Option<SocketAddr>,
}

impl Address {
    async fn bind(plan: Plan, binding: Binding, what: &'static str, workers: &Workers) -> Result<Self> {
        let server = Server::new(plan.starting_pipeline(), plan.limits(), workers);
        if binding != Binding::Configured {
            return Ok(Self { plan, server, addr: None });
        }
        let listener = plan.bind(what).await?;
        let addr = listener.local_addr().map_err(|source| Error::Bind {
            what,
            address: String::from("an unknown address"),
            source,
        })?;
        server.listen(listener);
        Ok(Self { plan, server, addr: Some(addr) })
    }

    fn serve(self, runtime: &RouteRuntime, metrics: &Metrics) -> Serving {
        self.server.open(self.plan.into_pipeline(runtime, metrics));
        Serving { server: self.server, addr: self.addr }
    }
}

/// The servers while the service starts.
#[derive(Debug)]
pub(super) struct Bound {
    http: Option<Address>,
    sockets: Option<BoundSockets>,
}

#[derive(Debug)]
struct BoundSockets {
    web_socket: WebSocket,
    acceptor: Arc<OnceLock<Acceptor>>,
    own: Option<Address>,
}

impl Bound {
    /// Opens the routes.
    pub(super) fn serve(
        self,
        core: &Arc<Core>,
        registry: &Arc<Registry>,
        timeout: Duration,
        workers: &Workers,
        metrics: &Metrics,
    ) -> Servers {
        let mut servers = Servers::default();
        let runtime = RouteRuntime { core: Arc::clone(core), workers: workers.clone(), timeout };
        let mut own = None;
        if let Some(BoundSockets { web_socket, acceptor, own: address }) = self.sockets {
            servers.sockets = Some(web_socket.sockets().clone());
            let shared = if address.is_some() { None } else { self.http.as_ref() };
            let prefix = shared.map_or("", |http| http.plan.prefix());
            servers.socket_path = format!("{prefix}{}", web_socket.path_name());
            let (core, registry) = (Arc::clone(core), Arc::clone(registry));
            let ready =
                acceptor.get_or_init(|| web_socket.into_acceptor(core, registry, workers.clone(), timeout));
            servers.acceptor = Some(ready.clone());
            own = address;
        }
        servers.http = self.http.map(|http| http.serve(&runtime, metrics));
        servers.own = own.map(|own| own.serve(&runtime, metrics));
        servers
    }
}

/// A running server and its address.
#[derive(Debug)]
struct Serving {
    server: Server,
    addr: Option<SocketAddr>,
}

/// The servers of a running service.
#[derive(Debug, Default)]
pub(super) struct Servers {
    http: Option<Serving>,
    /// The separate server for WebSockets.
    own: Option<Serving>,
    acceptor: Option<Acceptor>,
    sockets: Option<Sockets>,
    /// The path to which WebSocket clients connect.
    socket_path: String,
}

impl Servers {
    pub(super) fn http_addr(&self) -> Option<SocketAddr> {
        self.http.as_ref()?.addr
    }

    pub(super) fn socket_addr(&self) -> Option<SocketAddr> {
        self.acceptor.as_ref()?;
        self.own.as_ref().or(self.http.as_ref())?.addr
    }

    #[cfg(feature = "testing")]
    pub(super) fn http(&self) -> Option<&Server> {
        self.http.as_ref().map(|http| &http.server)
    }

    /// Returns the server that accepts WebSockets, and their path.
    #[cfg(feature = "testing")]
    pub(super) fn web_socket(&self) -> Option<(&Server, &str)> {
        self.acceptor.as_ref()?;
        let serving = self.own.as_ref().or(self.http.as_ref())?;
        Some((&serving.server, &self.socket_path))
    }

    /// Returns the URL to which WebSocket clients connect.
    pub(super) fn socket_url(&self) -> Option<String> {
        Some(format!("ws://{}{}", self.socket_addr()?, self.socket_path))
    }

    pub(super) fn sockets(&self) -> Option<Sockets> {
        self.sockets.clone()
    }

    /// Stops accepting connections and requests, and closes connections once their answers are sent.
    pub(super) fn drain(&self) {
        if let Some(acceptor) = &self.acceptor {
            acceptor.close();
        }
        for serving in self.http.iter().chain(&self.own) {
            serving.server.drain();
        }
    }
}
