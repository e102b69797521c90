//! Runs an application inside a test, on a bus of its own and with a clock that the test advances.
//!
//! ```
//! use daebus::prelude::*;
//! use daebus::testing::TestApp;
//!
//! #[action("greet")]
//! async fn greet(
//!     Payload(name): Payload<String>,
//!     broadcast: Broadcast,
//! ) -> Result<String, BoxError> {
//!     broadcast.send("greetings", json!({"name": name})).await?;
//!     Ok(format!("hello, {name}"))
//! }
//!
//! #[background("tick", 60)]
//! async fn tick(broadcast: Broadcast) -> Result<(), BoxError> {
//!     broadcast.send("ticks", json!({})).await?;
//!     Ok(())
//! }
//!
//! # /*
//! #[tokio::test]
//! # */
//! # #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), BoxError> {
//!     let app = TestApp::new(
//!         Daebus::new("greeter").register(blueprint_of!["all"; greet, tick]),
//!     )
//!     .await;
//!     let answer: String = app.caller().send_request("greet", "Ada").await?;
//!     assert_eq!(answer, "hello, Ada");
//!     app.published("greetings").await.assert_one(json!({"name": "Ada"}));
//!     app.advance(Duration::from_secs(3600)).await;
//!     assert_eq!(app.published("ticks").await.len(), 60);
//!     app.finish().await;
//!     Ok(())
//! }
//! ```

mod http;
mod published;
mod recorder;
mod response;
mod socket;
mod time;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use daebus_caller::bus::Bus;
use daebus_caller::{Caller, Link};
use jiff::Timestamp;
use parking_lot::Mutex;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

pub use http::{TestHttp, TestRequest};
pub use published::Published;
use recorder::Recorder;
pub use response::TestResponse;
pub use socket::{SocketFrame, TestSocket};
use time::Time;

use crate::app::{Binding, Daebus, Environment, Service};
use crate::blueprint::Registry;
use crate::http::Server;
use crate::runtime::{Clock, Panics};
use crate::tasks::AutoStart;

/// The default time of the wall clock at the start of a test: Thursday, 1 January 2026, midnight UTC.
const NEW_YEAR: Duration = Duration::from_secs(1_767_225_600);

/// An application inside a test. The application is that of production; only the bus, the clock and the network are replaced.
///
/// **Bus.** The application has an in-process bus of its own, regardless of `.bus(…)` and `DAEBUS_URL`.
///
/// **Clock.** The clock is paused. It advances with [`advance`](Self::advance), or to the next timer if all tasks wait. The
/// time zone of schedules defaults to UTC, and their jitter is zero. Operating system threads still run in real time.
///
/// **Network.** No address is bound, regardless of [`Http::bind`](crate::Http::bind): [`http`](Self::http) and
/// [`socket`](Self::socket) connect to the servers in memory, and [`Service::http_addr`](crate::Service::http_addr) returns
/// `None`. If the application has routes or socket handlers without a server, an [`Http`](crate::Http) and a
/// [`WebSocket`](crate::WebSocket) with default settings are attached; outside of tests, that is an error at the start.
///
/// **Threads.** A `#[thread]` starts only with [`start_thread`](Self::start_thread).
///
/// ```
/// use daebus::prelude::*;
/// use daebus::testing::TestApp;
///
/// #[background("tick", 60)]
/// async fn tick(broadcast: Broadcast) -> Result<(), BoxError> {
///     broadcast.send("ticks", json!({})).await?;
///     Ok(())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let app = TestApp::new(
///     Daebus::new("clock").register(blueprint_of!["clock"; tick]),
/// )
/// .await;
/// app.advance(Duration::from_secs(180)).await;
/// assert_eq!(app.published("ticks").await.len(), 3);
/// app.finish().await;
/// # }
/// ```
pub struct TestApp {
    service: Service,
    bus: Arc<Recorder>,
    panics: Panics,
    clock: Clock,
    time: Arc<Time>,
    /// The handlers of all applications on this bus.
    registries: Arc<Mutex<Vec<Arc<Registry>>>>,
}

impl TestApp {
    /// Starts the application with a paused clock, which shows midnight UTC on 1 January 2026.
    ///
    /// # Panics
    ///
    /// Panics if the application fails to start, or if the runtime is not a current-thread runtime, such as that of
    /// `#[tokio::test]`.
    pub async fn new(app: Daebus) -> Self {
        Self::starting_at(app, SystemTime::UNIX_EPOCH + NEW_YEAR).await
    }

    /// Starts the application with a paused clock, which shows this time.
    ///
    /// # Panics
    ///
    /// Panics as [`new`](Self::new) does, and if the time is after the year 9999.
    pub async fn starting_at(app: Daebus, wall: SystemTime) -> Self {
        let wall = Timestamp::try_from(wall)
            .unwrap_or_else(|error| panic!("the start time is out of range: {error}"));
        let time = Time::paused();
        Self::first(app, time, Clock::following_tokio(wall)).await
    }

    /// Starts the application with the real clock.
    ///
    /// # Panics
    ///
    /// Panics if the application fails to start.
    pub async fn real_time(app: Daebus) -> Self {
        Self::first(app, Time::real(), Clock::default()).await
    }

    async fn first(app: Daebus, time: Time, clock: Clock) -> Self {
        Self::start(app, Recorder::new(), Arc::new(time), clock, Arc::default()).await
    }

    /// Starts a second application on the same bus and clock, to test a service together with another one that it calls.
    ///
    /// [`advance`](Self::advance) of either advances the clock of both, and [`published`](Self::published) returns the messages
    /// of both. Each has its own [`caller`](Self::caller) and [`panics`](Self::panics), and must be
    /// [finished](Self::finish) separately; an application that is dropped is cut off.
    ///
    /// ```
    /// use daebus::prelude::*;
    /// use daebus::testing::TestApp;
    ///
    /// #[action("price_of")]
    /// async fn price_of(Payload(article): Payload<String>) -> usize {
    ///     article.len()
    /// }
    ///
    /// #[action("total")]
    /// async fn total(
    ///     Payload(articles): Payload<Vec<String>>,
    ///     callers: Callers,
    /// ) -> Result<usize, BoxError> {
    ///     let prices = callers.to("prices");
    ///     let mut total = 0;
    ///     for article in articles {
    ///         total += prices.send_request::<usize>("price_of", article).await?;
    ///     }
    ///     Ok(total)
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// let shop = TestApp::new(
    ///     Daebus::new("shop").register(blueprint_of!["shop"; total]),
    /// )
    /// .await;
    /// let prices = shop
    ///     .join(Daebus::new("prices").register(blueprint_of!["prices"; price_of]))
    ///     .await;
    ///
    /// let total: usize =
    ///     shop.caller().send_request("total", ["tea", "milk"]).await?;
    /// assert_eq!(total, 7);
    /// shop.finish().await;
    /// prices.finish().await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if the application fails to start.
    #[must_use = "an application that is dropped is cut off"]
    pub async fn join(&self, app: Daebus) -> Self {
        let (bus, time) = (Arc::clone(&self.bus), Arc::clone(&self.time));
        Self::start(app, bus, time, self.clock.clone(), Arc::clone(&self.registries)).await
    }

    async fn start(
        app: Daebus,
        bus: Arc<Recorder>,
        time: Arc<Time>,
        clock: Clock,
        registries: Arc<Mutex<Vec<Arc<Registry>>>>,
    ) -> Self {
        let panics = Panics::recorded();
        let environment = Environment {
            bus: Some(bus.another()),
            clock: clock.clone(),
            panics: panics.clone(),
            auto_start: AutoStart::Never,
            binding: Binding::InMemory,
            interrupt: CancellationToken::new(),
        };
        match app.start_in(environment).await {
            Ok(service) => {
                registries.lock().push(Arc::clone(service.registry()));
                Self { service, bus, panics, clock, time, registries }
            }
            Err(error) => panic!("the application failed to start: {error}"),
        }
    }

    /// Returns a caller of the application, on a connection of its own, like a caller in another process.
    pub fn caller(&self) -> Caller {
        Caller::from_link(Link::new(self.bus.another()), self.service.name())
    }

    /// Returns the running service, for access to its cache and its tasks for example.
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// Returns an HTTP client of the application, which sends requests in memory.
    ///
    /// # Panics
    ///
    /// Panics if the application has neither routes nor an attached [`Http`](crate::Http).
    #[track_caller]
    pub fn http(&self) -> TestHttp<'_> {
        let Some(server) = self.service.http() else {
            panic!(
                "{} has no HTTP server because it has no routes: register a blueprint with routes, or add \
                 .attach(Http::bind(…)) to the app",
                self.service.name()
            );
        };
        TestHttp::new(server)
    }

    /// Connects a new WebSocket client to the application, at the configured path.
    ///
    /// # Panics
    ///
    /// Panics if the application has neither socket handlers nor an attached [`WebSocket`](crate::WebSocket), or if it refuses
    /// the connection.
    pub async fn socket(&self) -> TestSocket {
        let (server, path) = self.web_socket();
        TestSocket::connect(server, path).await
    }

    /// Connects a new WebSocket client at this path, which may have a query: `"/ws?token=secret"`.
    ///
    /// # Panics
    ///
    /// Panics as [`socket`](Self::socket) does, and if the application doesn't accept WebSockets at this path.
    pub async fn socket_at(&self, path: &str) -> TestSocket {
        let (server, _) = self.web_socket();
        TestSocket::connect(server, path).await
    }

    fn web_socket(&self) -> (&Server, &str) {
        let Some(web_socket) = self.service.web_socket() else {
            panic!(
                "{} has no WebSockets because it has no socket handlers: register a blueprint with socket handlers, or add \
                 .attach(WebSocket::new()) to the app",
                self.service.name()
            );
        };
        web_socket
    }

    /// Publishes a message, like another process.
    ///
    /// # Panics
    ///
    /// Panics if the message can't be serialized as JSON.
    pub async fn publish(&self, channel: &str, message: impl Serialize) {
        let json = daebus_caller::wire::encode(&message)
            .unwrap_or_else(|error| panic!("the message can't be serialized as JSON: {error}"));
        // The in-process bus accepts every message while it is open.
        if let Err(error) = self.bus.publish(channel, json.as_bytes().clone()).await {
            panic!("can't publish on {channel:?}: {error}");
        }
    }

    /// Returns all messages that were published on a channel since the start, by any publisher. Calls [`settle`](Self::settle)
    /// first.
    pub async fn published(&self, channel: &str) -> Published {
        self.settle().await;
        Published::new(channel, self.bus.published(channel))
    }

    /// Advances the clock. Every run that is due in this time takes place, in order, and completes unless it waits for a later
    /// time itself.
    ///
    /// With the real clock, this method waits for this duration.
    pub async fn advance(&self, duration: Duration) {
        let is_idle = || self.registries.lock().iter().all(|registry| registry.is_idle());
        self.time.advance(duration, is_idle).await;
    }

    /// Runs all tasks until each of them waits for a timer.
    ///
    /// With a paused clock, the clock advances by 1 ms, which the next [`advance`](Self::advance) compensates. With the real
    /// clock, this method waits until no handler is running, for at most 5 s.
    pub async fn settle(&self) {
        self.advance(Duration::ZERO).await;
    }

    /// Starts a thread. In a test, no thread starts with the service.
    ///
    /// # Panics
    ///
    /// Panics if no thread has this name.
    pub async fn start_thread(&self, name: &str) {
        if let Err(error) = self.service.tasks().start(name) {
            panic!("{error}");
        }
        self.settle().await;
    }

    /// Returns the panics of handlers, schedules, threads and spawned tasks since the start or the last call.
    /// [`finish`](Self::finish) ignores panics that this method has returned.
    pub fn panics(&self) -> Vec<String> {
        self.panics.take()
    }

    /// Stops the application, like a signal.
    ///
    /// # Panics
    ///
    /// Panics if handlers are cut off at the end of the drain time, or if a handler panicked since the last call of
    /// [`panics`](Self::panics).
    pub async fn finish(self) {
        let Self { service, panics, .. } = self;
        let stopped = service.stop().await;
        let panics = panics.take();
        assert!(panics.is_empty(), "handlers panicked:\n{}", panics.join("\n"));
        if let Err(error) = stopped {
            panic!("{error}");
        }
    }
}

impl fmt::Debug for TestApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestApp").field("service", &self.service).finish_non_exhaustive()
    }
}
