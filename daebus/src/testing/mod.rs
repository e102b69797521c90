//! Running an application inside a test: on a bus of its own, with a clock that the test advances.
//!
//! ```
//! use daebus::prelude::*;
//! use daebus::testing::TestApp;
//!
//! #[action("greet")]
//! async fn greet(Payload(name): Payload<String>, broadcast: Broadcast) -> Result<String, BoxError> {
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
//!     let app = TestApp::new(Daebus::new("greeter").register(blueprint_of!["all"; greet, tick])).await;
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

/// What the wall clock of a test shows at its start unless the test says otherwise: the first of January 2026, a
/// Thursday, at midnight UTC.
const NEW_YEAR: Duration = Duration::from_secs(1_767_225_600);

/// An application inside a test. What runs is the production app, with nothing replaced but the bus, the clock and the
/// network: the bus is an in-process one that nobody else is on, whatever `.bus(…)` and `DAEBUS_URL` say, and the clock stands
/// still unless everybody waits for it.
///
/// No address is taken, whatever [`Http::bind`](crate::Http::bind) says: [`http`](Self::http) and
/// [`socket`](Self::socket) lead to the servers inside the process, and
/// [`Service::http_addr`](crate::Service::http_addr) is `None`. An application that doesn't say where its routes and
/// socket handlers listen gets an [`Http`](crate::Http) and a [`WebSocket`](crate::WebSocket) as they are unless set, so
/// that a test needn't attach them; outside of tests that is an error at the start.
///
/// With the clock go the time zone, which is UTC where a schedule names none, and jitter, which is left out. A
/// `#[thread]` starts only when asked for, with [`start_thread`](Self::start_thread). A thread of the operating system
/// lives in real time all the same.
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
    /// Starts the application with a paused clock, which stands at midnight UTC on the first of January 2026.
    ///
    /// # Panics
    ///
    /// When the application doesn't start, or the runtime isn't the one that `#[tokio::test]` makes.
    pub async fn new(app: Daebus) -> Self {
        Self::starting_at(app, SystemTime::UNIX_EPOCH + NEW_YEAR).await
    }

    /// The same, with another time on the wall.
    ///
    /// # Panics
    ///
    /// As [`new`](Self::new), and when the time is further off than the year 9999.
    pub async fn starting_at(app: Daebus, wall: SystemTime) -> Self {
        let wall = Timestamp::try_from(wall)
            .unwrap_or_else(|error| panic!("the test can't start at this time: {error}"));
        let time = Time::paused();
        Self::first(app, time, Clock::following_tokio(wall)).await
    }

    /// Starts the application with the real clock.
    ///
    /// # Panics
    ///
    /// When the application doesn't start.
    pub async fn real_time(app: Daebus) -> Self {
        Self::first(app, Time::real(), Clock::default()).await
    }

    async fn first(app: Daebus, time: Time, clock: Clock) -> Self {
        Self::start(app, Recorder::new(), Arc::new(time), clock, Arc::default()).await
    }

    /// Starts a second application on the same bus and clock, so that a service that calls another one is tested together
    /// with it.
    ///
    /// The clock is advanced through either of the two. [`published`](Self::published) has the messages of both. Each has
    /// its own [`caller`](Self::caller), its own [`panics`](Self::panics), and is [finished](Self::finish) by itself; an
    /// application that is dropped is cut off.
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
    /// async fn total(Payload(articles): Payload<Vec<String>>, callers: Callers) -> Result<usize, BoxError> {
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
    /// let shop = TestApp::new(Daebus::new("shop").register(blueprint_of!["shop"; total])).await;
    /// let prices = shop.join(Daebus::new("prices").register(blueprint_of!["prices"; price_of])).await;
    ///
    /// let total: usize = shop.caller().send_request("total", ["tea", "milk"]).await?;
    /// assert_eq!(total, 7);
    /// shop.finish().await;
    /// prices.finish().await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// When the application doesn't start.
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
            Err(error) => panic!("the application doesn't start: {error}"),
        }
    }

    /// A caller of the application, on a connection of its own as another process would be.
    pub fn caller(&self) -> Caller {
        Caller::from_link(Link::new(self.bus.another()), self.service.name())
    }

    /// The running service: its cache, its tasks.
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// An HTTP client of the application. What it sends goes into the router in memory.
    ///
    /// # Panics
    ///
    /// When the application has neither routes nor an [`Http`](crate::Http) attached.
    #[track_caller]
    pub fn http(&self) -> TestHttp<'_> {
        let Some(server) = self.service.http() else {
            panic!(
                "{} has no HTTP server: it has no routes. Register a blueprint that has some, or add \
                 .attach(Http::bind(…)) to the app",
                self.service.name()
            );
        };
        TestHttp::new(server)
    }

    /// A new WebSocket client of the application, connected at its path.
    ///
    /// # Panics
    ///
    /// When the application has neither socket handlers nor a [`WebSocket`](crate::WebSocket) attached, or refuses the
    /// connection.
    pub async fn socket(&self) -> TestSocket {
        let (server, path) = self.web_socket();
        TestSocket::connect(server, path).await
    }

    /// The same at a path of the test's choice, or with a query: `"/ws?token=secret"`.
    ///
    /// # Panics
    ///
    /// As [`socket`](Self::socket), and when nothing answers WebSockets at that path.
    pub async fn socket_at(&self, path: &str) -> TestSocket {
        let (server, _) = self.web_socket();
        TestSocket::connect(server, path).await
    }

    fn web_socket(&self) -> (&Server, &str) {
        let Some(web_socket) = self.service.web_socket() else {
            panic!(
                "{} has no WebSockets: it has no socket handlers. Register a blueprint that has some, or add \
                 .attach(WebSocket::new()) to the app",
                self.service.name()
            );
        };
        web_socket
    }

    /// Publishes a message, as another process would.
    ///
    /// # Panics
    ///
    /// When the message can't be written as JSON.
    pub async fn publish(&self, channel: &str, message: impl Serialize) {
        let json = daebus_caller::wire::encode(&message)
            .unwrap_or_else(|error| panic!("the message can't be written as JSON: {error}"));
        // The in-process bus refuses nothing while it is open.
        if let Err(error) = self.bus.publish(channel, json.as_bytes().clone()).await {
            panic!("nothing was published on {channel:?}: {error}");
        }
    }

    /// Everything published on a channel since the start, by whomever; first, what is under way is let happen.
    pub async fn published(&self, channel: &str) -> Published {
        self.settle().await;
        Published::new(channel, self.bus.published(channel))
    }

    /// Lets time go by: every run that is due in that time happens, in order, and is awaited unless it waits for a
    /// later time itself.
    ///
    /// With the real clock this is a real wait.
    pub async fn advance(&self, duration: Duration) {
        let is_idle = || self.registries.lock().iter().all(|registry| registry.is_idle());
        self.time.advance(duration, is_idle).await;
    }

    /// Lets everything happen that is under way and doesn't wait for time to go by.
    ///
    /// With a paused clock a millisecond goes by, which the next [`advance`](Self::advance) makes up for. With the real
    /// clock: waits until no handler runs, five seconds at most.
    pub async fn settle(&self) {
        self.advance(Duration::ZERO).await;
    }

    /// Starts a thread; those that start with the service in production don't do so here.
    ///
    /// # Panics
    ///
    /// When there is no such thread.
    pub async fn start_thread(&self, name: &str) {
        if let Err(error) = self.service.tasks().start(name) {
            panic!("{error}");
        }
        self.settle().await;
    }

    /// The panics of handlers, schedules, threads and spawned tasks since the start or the last time. What was taken
    /// here has been seen, and [`finish`](Self::finish) doesn't mind it.
    pub fn panics(&self) -> Vec<String> {
        self.panics.take()
    }

    /// Stops the application as a signal would.
    ///
    /// # Panics
    ///
    /// When handlers had to be cut off, or one panicked and [`panics`](Self::panics) was not asked since.
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
