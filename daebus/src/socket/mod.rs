//! WebSockets: messages that clients send, answered by handlers, and what the service sends of its own accord.

mod accept;
mod answers;
mod client;
mod close;
mod error;
mod extract;
mod frame;
mod gateway;
mod heartbeat;
mod inbox;
mod info;
mod messages;
mod outgoing;
mod room;
mod server;
mod session;
mod settings;
mod sockets;
mod table;
mod upgrade;
mod waiting_frames;
mod writer;

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use accept::Acceptor;
pub use client::Client;
pub use error::SocketError;
pub use extract::Frame;
#[cfg(feature = "testing")]
pub(crate) use frame::ClientMessage;
pub use gateway::{Access, Gateway};
pub use info::ClientInfo;
pub use room::Room;
use server::SocketServer;
use settings::Settings;
pub use sockets::Sockets;
pub use upgrade::Upgrade;
pub use waiting_frames::WhenFull;

use crate::blueprint::Registry;
use crate::error::Mistake;
use crate::handler::Core;
use crate::runtime::Workers;

/// WebSockets, attached to an application with [`Daebus::attach`](crate::Daebus::attach).
///
/// ```no_run
/// # use daebus::prelude::*;
/// # use daebus::{Http, WebSocket};
/// # async fn example(app: Daebus) -> daebus::Result<()> {
/// app.attach(Http::bind("0.0.0.0:8080"))
///     .attach(WebSocket::new().rate_limit(60, Duration::from_secs(60)))
///     .run()
///     .await
/// # }
/// ```
///
/// They share the HTTP server's address, at `/ws`. With [`port`](Self::port) or [`bind`](Self::bind) they have a server
/// of their own: `WebSocket::new().port(8081).path("/")` is where clients of the Python package look.
#[derive(Debug, Clone)]
#[must_use = "WebSockets are served once they are attached to an app"]
pub struct WebSocket {
    path: String,
    port: Option<u16>,
    bind: Option<String>,
    settings: Settings,
    sockets: Sockets,
}

impl Default for WebSocket {
    fn default() -> Self {
        Self::new()
    }
}

impl WebSocket {
    /// WebSockets at `/ws`, at the HTTP server's address.
    pub fn new() -> Self {
        Self {
            path: "/ws".to_owned(),
            port: None,
            bind: None,
            settings: Settings::default(),
            sockets: Sockets::default(),
        }
    }

    /// Sets the path at which clients connect. Defaults to `/ws`.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Gives WebSockets a server of their own on this port, on the host of the HTTP server, or on all of the machine's addresses
    /// if there is none. Port 0 takes a free one, which [`Service::socket_addr`](crate::Service::socket_addr) returns. The server has
    /// the limits of the application's [`Http`](crate::Http) server, or its defaults, and a connection for each of
    /// [`max_connections`](Self::max_connections).
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Gives WebSockets a server of their own at this address, `127.0.0.1:8081` for example.
    pub fn bind(mut self, address: impl Display) -> Self {
        self.bind = Some(address.to_string());
        self
    }

    /// Sets how many messages a client may send in a time: so many at once, and then again as fast as they become due.
    /// A message above the limit is answered with `Rate limit exceeded` and not handled. Pings of the client, and pongs
    /// without a ping, count as messages. Defaults to no limit.
    pub fn rate_limit(mut self, messages: u32, per: Duration) -> Self {
        self.settings.rate = Some((messages, per));
        self
    }

    /// How many bytes a client's message may have, 1 MiB unless set. A larger one closes the connection with 1009.
    pub fn max_message(mut self, bytes: usize) -> Self {
        self.settings.message_bytes = bytes;
        self
    }

    /// Sets the interval of pings. Defaults to 20 s. A client that hasn't answered by the next ping is disconnected with 1011:
    /// its machine or its network is gone. With `None` a client is pinged only while its messages aren't read, once per
    /// second, and need not answer: only a failing write shows then that it has disconnected.
    pub fn ping(mut self, every: impl Into<Option<Duration>>) -> Self {
        self.settings.ping = every.into().map(|every| every.max(Duration::from_millis(1)));
        self
    }

    /// Closes connections, with 1000, on which no message has gone either way for so long; pings don't count. `None`,
    /// which is also the default, for never.
    pub fn idle_timeout(mut self, after: impl Into<Option<Duration>>) -> Self {
        self.settings.idle = after.into().map(|after| after.max(Duration::from_millis(1)));
        self
    }

    /// Sets how many frames wait for a client that reads slowly. Defaults to 256. Zero counts as one.
    ///
    /// While the answers to a client's own messages fill half of its queue, no further message of this client is read:
    /// answers are not dropped.
    pub fn queue(mut self, frames: usize) -> Self {
        self.settings.queue.frames = frames.max(1);
        self
    }

    /// Sets how many bytes wait for a client that reads slowly, and the size of the largest frame. Defaults to 4 MiB, and
    /// is at least 1 KiB. Sending a larger frame fails with [`SocketError::TooLarge`]; a larger answer of a handler is
    /// replaced by the error `internal`, and logged.
    ///
    /// A client takes at most the memory of four times `queue_bytes`: its queue, an answer that waits for a place, and the frame
    /// that is being written with its copy on the way to the network; and of `inbox_bytes` and six times `max_message`, for the
    /// messages that wait, are handled and are being read. With the defaults that is 23 MiB for a client that sends and doesn't
    /// read. A frame that is sent to many clients is in their queues once.
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.settings.queue.bytes = bytes.max(1024);
        self
    }

    /// Sets how many bytes of a client's messages wait while one of them is handled; at most 256 messages wait. With more,
    /// the connection isn't read until a message has been handled. Defaults to 1 MiB.
    pub fn inbox_bytes(mut self, bytes: usize) -> Self {
        self.settings.inbox_bytes = bytes;
        self
    }

    /// Sets what happens when a client's queue is full and one more frame is sent. Defaults to
    /// [`WhenFull::DropOldest`]. Either way the lost frames are counted: [`Client::dropped`], [`Sockets::dropped`].
    pub fn when_full(mut self, what: WhenFull) -> Self {
        self.settings.queue.when_full = what;
        self
    }

    /// Sets in how many rooms one client may be. Defaults to 64.
    pub fn max_rooms(mut self, rooms: usize) -> Self {
        self.settings.rooms = rooms;
        self
    }

    /// Sets the subprotocols that the service speaks, the preferred one first. The first that the client offers too is
    /// agreed on, see [`Client::subprotocol`]. Without one in common the connection is opened without a subprotocol;
    /// browsers close it then.
    ///
    /// ```
    /// # use daebus::WebSocket;
    /// let sockets = WebSocket::new().subprotocols(["chat.v2", "chat.v1"]);
    /// # let _ = sockets;
    /// ```
    pub fn subprotocols<I>(mut self, names: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.settings.subprotocols = names.into_iter().map(Into::into).collect();
        self
    }

    /// Sets whether frames of the types `connect` and `disconnect` run the handlers of these names, as they do in the
    /// Python package. Defaults to `false`: such a frame is answered with `No handler found for message type 'connect'`,
    /// since a client could otherwise run them at any time, with data of its choice.
    pub fn client_events(mut self, run_handlers: bool) -> Self {
        self.settings.client_events = run_handlers;
        self
    }

    /// Lets clients call services, subscribe to channels and publish, as far as the [`Gateway`] allows. Defaults to no gateway:
    /// clients reach handlers only.
    ///
    /// Messages of the types `publish`, `subscribe`, `unsubscribe` and `broadcast` are the gateway's then; a handler of one of
    /// these types is a configuration error. The HTTP server answers `GET /_service/daebus.js` with the JavaScript module for
    /// browsers.
    ///
    /// ```
    /// # use daebus::{Gateway, WebSocket};
    /// let sockets = WebSocket::new().gateway(Gateway::new().subscribe(["notifications"]));
    /// # let _ = sockets;
    /// ```
    pub fn gateway(mut self, gateway: Gateway) -> Self {
        self.settings.gateway = Some(gateway);
        self
    }

    /// Of which origins pages may connect, `https://app.example.com` for example, `"*"` for all.
    ///
    /// Unless set, pages of the same host may, whatever their port: a browser connects for *any* page it shows, so
    /// otherwise every page on the internet could talk to the services on its user's machine. Clients that aren't
    /// browsers send no origin and aren't asked for one.
    pub fn origins<I>(mut self, origins: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.settings.origins = Some(origins.into_iter().map(Into::into).collect());
        self
    }

    /// How many clients may be connected at once, 400 unless set. One more is answered with HTTP status 503.
    pub fn max_connections(mut self, clients: usize) -> Self {
        self.settings.connections = clients;
        self
    }

    /// Makes the ids of clients, which are `user_<uuid>` otherwise.
    ///
    /// An id that is empty is replaced by one of those. A client that is let in under another's id takes the other's
    /// place, whose connection is closed with 1008.
    ///
    /// ```
    /// # use daebus::{Upgrade, WebSocket};
    /// let kiosks = WebSocket::new()
    ///     .client_ids(|upgrade: &Upgrade| upgrade.query().get("kiosk").cloned().unwrap_or_default());
    /// # let _ = kiosks;
    /// ```
    pub fn client_ids(mut self, make: impl Fn(&Upgrade) -> String + Send + Sync + 'static) -> Self {
        self.settings.client_ids = Some(Arc::new(make));
        self
    }

    /// Sets the message that clients receive when the service stops, and whether they should connect again. Defaults to
    /// `Server is shutting down` and `true`. The connections are then closed with 1001.
    pub fn shutdown_message(mut self, message: impl Into<String>, reconnect: bool) -> Self {
        self.settings.shutdown_message = message.into();
        self.settings.reconnect = reconnect;
        self
    }

    /// Gives WebSockets a server of their own at this address, in place of one that was set before.
    #[cfg(feature = "args")]
    pub(crate) fn rebind(&mut self, address: String) {
        (self.port, self.bind) = (None, Some(address));
    }

    /// All clients. Usable at once; before the service has started there are none.
    pub(crate) fn sockets(&self) -> &Sockets {
        &self.sockets
    }

    /// How many clients may be connected at once.
    pub(crate) fn most_clients(&self) -> usize {
        self.settings.connections
    }

    /// Returns the JavaScript module for the gateway's clients, if there is a gateway.
    pub(crate) fn script(&self) -> Option<&'static str> {
        self.settings.gateway.as_ref().map(|_| include_str!("../../assets/daebus.js"))
    }

    /// Where clients connect.
    pub(crate) fn path_name(&self) -> &str {
        &self.path
    }

    /// The address of their own server. `None`: they share the HTTP server's. `http` is what that is bound to.
    pub(crate) fn own_address(&self, http: Option<&str>) -> Option<String> {
        if let Some(bind) = &self.bind {
            return Some(bind.clone());
        }
        let port = self.port?;
        let (host, http_port) = http.and_then(|http| http.rsplit_once(':')).unwrap_or(("0.0.0.0", ""));
        // Port 0 is any free one, and so never the same.
        let shared = port != 0 && http_port.parse() == Ok(port);
        (!shared).then(|| format!("{host}:{port}"))
    }

    /// What is set so that it can't work, each in a sentence.
    pub(crate) fn mistakes(&self, registry: &Registry) -> Vec<Mistake> {
        let mut mistakes = self.settings.mistakes(registry);
        if self.port.is_some() && self.bind.is_some() {
            mistakes.push(Mistake::new("WebSocket has both a port and an address to bind: leave out .port(…), and write the port into .bind(…)"));
        }
        mistakes
    }

    /// Ready to serve; `timeout` is what a handler has when its attribute doesn't say.
    pub(crate) fn into_acceptor(
        self,
        core: Arc<Core>,
        registry: Arc<Registry>,
        workers: Workers,
        timeout: Duration,
    ) -> Acceptor {
        Acceptor::new(SocketServer::new(self.settings, self.sockets, core, registry, workers, timeout))
    }
}
