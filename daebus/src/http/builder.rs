//! The settings of an HTTP server.

use std::fmt::Display;
use std::time::Duration;

use axum::Router;

use super::assets::Assets;
use super::cors::Cors;
use super::layer::{AnyHttpLayer, HttpLayer};
use super::limits::HttpLimits;
use crate::runtime::address;

/// An HTTP server for an application's routes, put in with [`Daebus::attach`](crate::Daebus::attach). HTTP/1 and HTTP/2.
///
/// ```
/// use daebus::prelude::*;
///
/// #[route("/hello/<name>")]
/// async fn hello(name: String) -> String {
///     format!("hello, {name}")
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let service = Daebus::new("greeter")
///     .bus("memory://doc-http")
///     .register(blueprint_of!["greetings"; hello])
///     .attach(Http::bind("127.0.0.1:0"))
///     .start()
///     .await?;
/// println!("http://{}/hello/Ada", service.http_addr().ok_or("no HTTP")?);
/// # service.stop().await?;
/// # Ok(())
/// # }
/// ```
///
/// Every error is JSON: `{"error": …}` with a sentence, and a `code` or the `path`. A client's use of resources is bounded:
///
/// | bound | unless set | past it |
/// |---|---|---|
/// | [`max_body`](Self::max_body) | 2 MiB | 413 |
/// | [`body_timeout`](Self::body_timeout) | 30 s for the whole body | 408 |
/// | [`header_timeout`](Self::header_timeout) | 30 s for a request's head, or without a byte of a response being read | the connection is closed |
/// | [`max_connections`](Self::max_connections) | 512 | 503, except for the service's own paths |
/// | [`max_connections_per_address`](Self::max_connections_per_address) | no limit | the connection is closed |
/// | [`Daebus::timeout`](crate::Daebus::timeout), `#[route(…, timeout = "2s")]` | 5 minutes for a handler | 504 |
///
/// `GET /_service/status` answers `{"status": "ok"}` as long as the process lives; `GET /_service/ready` answers 200
/// while the bus is connected with every subscription confirmed and the service isn't stopping, else 503;
/// `GET /_service/metrics` answers with the service's counters in Prometheus's text format. None of them passes through the
/// application's layers.
#[derive(Debug)]
#[must_use = "attach it to an application: Daebus::attach"]
pub struct Http {
    pub(super) address: String,
    pub(super) prefix: String,
    pub(super) cors: Option<Cors>,
    pub(super) protects_from_other_origins: bool,
    pub(super) layers: Vec<AnyHttpLayer>,
    /// Whether WebSockets on a port of their own may be without these layers.
    sockets_without_layers: bool,
    pub(super) router: Option<Router>,
    pub(super) routers: usize,
    pub(super) assets: Option<Assets>,
    pub(super) has_service_routes: bool,
    /// The JavaScript module for the gateway's clients, if there is a gateway.
    pub(super) script: Option<&'static str>,
    pub(super) limits: HttpLimits,
}

impl Http {
    /// Listens on an address: `"0.0.0.0:8080"`, `"8080"` for every address of the machine, `"http://127.0.0.1:8080"`, or a
    /// `SocketAddr`. Port 0 takes a free one, which [`Service::http_addr`](crate::Service::http_addr) returns.
    pub fn bind(address: impl Display) -> Self {
        Self {
            address: readable(&address.to_string()),
            prefix: String::new(),
            cors: None,
            protects_from_other_origins: true,
            layers: Vec::new(),
            sockets_without_layers: false,
            router: None,
            routers: 0,
            assets: None,
            has_service_routes: true,
            script: None,
            limits: HttpLimits::default(),
        }
    }

    /// Returns the server of WebSockets on a port of their own: with the limits of the application's HTTP server, and with a place
    /// for each of the clients.
    pub(crate) fn of_sockets(address: impl Display, http: Option<&Self>, clients: usize) -> Self {
        let mut limits = http.map(|http| http.limits).unwrap_or_default();
        limits.connections = limits.connections.max(clients);
        Self { limits, ..Self::bind(address).service_routes(false) }
    }

    /// Serves the JavaScript module for the gateway's clients.
    pub(crate) fn serve_script(&mut self, module: &'static str) {
        self.script = Some(module);
    }

    /// The address it listens on, as it was given.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Listens on another address.
    #[cfg(feature = "args")]
    pub(crate) fn rebind(&mut self, address: String) {
        self.address = address;
    }

    /// Lets pages of other origins call.
    pub fn cors(mut self, cors: Cors) -> Self {
        self.cors = Some(cors);
        self
    }

    /// Whether requests that change state are refused if a page of another origin makes them. Defaults to `true`.
    ///
    /// A browser sends the forms of any page, together with the cookies of this service's users. For methods other than GET,
    /// HEAD and OPTIONS, `Sec-Fetch-Site` has to be `same-origin` or `none`; in browsers without it, the host of `Origin` has to
    /// be `Host`. Requests with neither header pass, since only browsers send them. Other requests are answered with 403 and
    /// the code `origin_not_allowed`, unless [`cors`](Self::cors) allows the origin. An origin that is allowed by `"*"` only may not
    /// send cookies with such a request: a browser sends them with a form whatever CORS allows.
    pub fn cross_origin_protection(mut self, protect: bool) -> Self {
        self.protects_from_other_origins = protect;
        self
    }

    /// Wraps the routes, the router and the assets in a tower layer; the last one added is outermost. A layer's error
    /// is a 500 and a line in the log.
    ///
    /// ```
    /// use daebus::axum::extract::Request;
    /// use daebus::axum::http::StatusCode;
    /// use daebus::axum::middleware::{Next, from_fn};
    /// use daebus::axum::response::Response;
    /// use daebus::Http;
    ///
    /// async fn require_auth(request: Request, next: Next) -> Result<Response, StatusCode> {
    ///     match request.headers().get("authorization") {
    ///         Some(token) if token == "Bearer open sesame" => Ok(next.run(request).await),
    ///         _ => Err(StatusCode::UNAUTHORIZED),
    ///     }
    /// }
    ///
    /// let http = Http::bind("127.0.0.1:8080").layer(from_fn(require_auth));
    /// # let _ = http;
    /// ```
    pub fn layer(mut self, layer: impl HttpLayer) -> Self {
        self.layers.push(AnyHttpLayer::new(layer));
        self
    }

    /// Permits WebSockets on a port of their own although this server has layers, which don't wrap them. By default such a service
    /// doesn't start, since the sockets would be open to clients that a layer refuses.
    /// [`Daebus::layer`](crate::Daebus::layer) wraps routes and sockets on any port.
    pub fn allow_sockets_without_layers(mut self) -> Self {
        self.sockets_without_layers = true;
        self
    }

    /// Whether WebSockets on a port of their own lack layers without permission.
    pub(crate) fn refuses_sockets_elsewhere(&self) -> bool {
        !self.layers.is_empty() && !self.sockets_without_layers
    }

    /// Mounts what an application already has on axum. Routes come first: the router gets what no route answers.
    pub fn router(mut self, router: Router) -> Self {
        self.router = Some(router);
        self.routers += 1;
        self
    }

    /// Puts everything under a path, the service's own paths too: `"/user_service"`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Serves the files of a folder where neither a route nor the router answers; `index.html` for a folder itself. A missing
    /// folder is an error at the start. [`Assets`] has settings for caches and for single-page applications.
    pub fn assets(mut self, assets: impl Into<Assets>) -> Self {
        self.assets = Some(assets.into());
        self
    }

    /// Sets whether `/_service/status`, `/_service/ready` and `/_service/metrics` answer. Defaults to `true`.
    pub fn service_routes(mut self, serve: bool) -> Self {
        self.has_service_routes = serve;
        self
    }

    /// How many bytes a body may have, 2 MiB unless set. More is answered with 413.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.limits.body_bytes = bytes;
        self
    }

    /// Sets how long the service waits for the whole of a body. Defaults to 30 s. A body that takes longer is answered with 408.
    /// The time in which the service doesn't read, because the handler waits for its turn for example, doesn't count.
    pub fn body_timeout(mut self, within: Duration) -> Self {
        self.limits.body_time = within;
        self
    }

    /// How long a connection may take to send the head of a request, do nothing between two requests, or leave an
    /// answer unread, 30 s unless set. Then it is closed.
    pub fn header_timeout(mut self, within: Duration) -> Self {
        // A timer without time would close every connection before its first byte.
        self.limits.header_time = within.max(Duration::from_millis(1));
        self
    }

    /// Sets how many connections are served at once. Defaults to 512. Zero counts as one. One connection of HTTP/2 has at most 32
    /// requests at once; a client that reads nothing makes the service hold their answers until
    /// [`header_timeout`](Self::header_timeout). On up to 16 further connections only
    /// the service's own paths are answered, so that health probes are; other paths are answered with 503, and the connection is
    /// closed. The log has one warning when this begins, and the number of refused connections when it ends.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.limits.connections = connections;
        self
    }

    /// Sets how many connections one address may have at once, WebSockets on this server's port included. No limit by default:
    /// behind a proxy all connections have the proxy's address. Zero counts as one. A further connection is closed without an
    /// answer, and the first one is logged. The addresses of one IPv6 network of 64 bits count together.
    pub fn max_connections_per_address(mut self, connections: usize) -> Self {
        self.limits.connections_per_address = Some(connections);
        self
    }
}

/// The address as the operating system takes it. One that can't be read is kept, and reported at the start.
fn readable(given: &str) -> String {
    address(given).unwrap_or_else(|_| given.to_owned())
}
