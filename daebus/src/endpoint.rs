//! One annotated function at one name: what reaches it, from where in the source it comes, and how to run it.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::context::Context;
use crate::extract::Extract;
use crate::handler::Outcome;
use crate::layer::{AnyLayer, HandlerService};
use crate::plan::{Schedule, ThreadOptions};
use crate::state::Needs;

/// Where a handler stands in the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    function: &'static str,
    module: &'static str,
    file: &'static str,
    line: u32,
}

impl Source {
    /// A function's name, its module, and its position.
    pub const fn new(function: &'static str, module: &'static str, file: &'static str, line: u32) -> Self {
        Self { function, module, file, line }
    }

    pub(crate) fn function(&self) -> &'static str {
        self.function
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { function, module, file, line } = self;
        if module.is_empty() {
            write!(f, "{function} ({file}:{line})")
        } else {
            write!(f, "{module}::{function} ({file}:{line})")
        }
    }
}

/// What reaches a handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Requests for this action.
    Action(&'static str),
    /// Messages on this channel, or on those that this pattern matches.
    Listen(&'static str),
    /// Messages of this type from WebSocket clients.
    Socket(&'static str),
    /// The service starting.
    OnStart,
    /// The service stopping.
    OnStop,
    /// The clock.
    Background(&'static str, Schedule),
    /// The service being ready, or somebody who starts it.
    Thread(&'static str, ThreadOptions),
}

impl Reach {
    /// What it goes by; hooks have no name.
    pub(crate) fn name(&self) -> Option<&'static str> {
        match self {
            Self::Action(name)
            | Self::Listen(name)
            | Self::Socket(name)
            | Self::Background(name, _)
            | Self::Thread(name, _) => Some(name),
            Self::OnStart | Self::OnStop => None,
        }
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Action(name) => write!(f, "action {name:?}"),
            Self::Listen(topic) => write!(f, "listen {topic:?}"),
            Self::Socket(kind) => write!(f, "socket {kind:?}"),
            Self::OnStart => f.write_str("on_start"),
            Self::OnStop => f.write_str("on_stop"),
            Self::Background(name, schedule) => write!(f, "background {name:?} ({schedule})"),
            Self::Thread(name, options) => write!(f, "thread {name:?} ({options})"),
        }
    }
}

/// A handler and what reaches it. The attributes write these; [`Blueprint`](crate::Blueprint) collects them.
#[derive(Debug, Clone)]
pub struct Endpoint {
    pub(crate) reach: Reach,
    pub(crate) source: Source,
    pub(crate) run: HandlerService,
    pub(crate) needs: Needs,
    pub(crate) timeout: Option<Duration>,
    pub(crate) concurrency: Option<usize>,
    pub(crate) idempotent: bool,
    pub(crate) doc: &'static str,
    /// How many run or wait to run.
    pub(crate) in_flight: InFlight,
}

impl Endpoint {
    /// Answers requests for the action `name`.
    pub fn action<F, Fut>(name: &'static str, source: Source, run: F) -> Self
    where
        F: Fn(Context) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Outcome> + Send + 'static,
    {
        Self::new(Reach::Action(name), source, run)
    }

    /// Hears a channel, or the channels that a pattern matches.
    pub fn listen<F, Fut>(topic: &'static str, source: Source, run: F) -> Self
    where
        F: Fn(Context) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Outcome> + Send + 'static,
    {
        Self::new(Reach::Listen(topic), source, run)
    }

    /// Answers WebSocket messages of the type `kind`. `connect` and `disconnect` also run when a client comes and goes.
    pub fn socket<F, Fut>(kind: &'static str, source: Source, run: F) -> Self
    where
        F: Fn(Context) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Outcome> + Send + 'static,
    {
        let mut endpoint = Self::new(Reach::Socket(kind), source, run);
        endpoint.needs.web_socket();
        endpoint
    }

    /// Runs when a WebSocket client comes; an error turns it away.
    pub fn socket_connect<F, Fut>(source: Source, run: F) -> Self
    where
        F: Fn(Context) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Outcome> + Send + 'static,
    {
        Self::socket("connect", source, run)
    }

    /// Runs when a WebSocket client has gone.
    pub fn socket_disconnect<F, Fut>(source: Source, run: F) -> Self
    where
        F: Fn(Context) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Outcome> + Send + 'static,
    {
        Self::socket("disconnect", source, run)
    }

    /// Answers WebSocket messages of the type `register`.
    pub fn socket_register<F, Fut>(source: Source, run: F) -> Self
    where
        F: Fn(Context) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Outcome> + Send + 'static,
    {
        Self::socket("register", source, run)
    }

    /// Runs when the service starts, before anything reaches it.
    pub fn on_start<F, Fut>(source: Source, run: F) -> Self
    where
        F: Fn(Context) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Outcome> + Send + 'static,
    {
        Self::new(Reach::OnStart, source, run)
    }

    /// Runs when the service stops, after the last handler has ended.
    pub fn on_stop<F, Fut>(source: Source, run: F) -> Self
    where
        F: Fn(Context) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Outcome> + Send + 'static,
    {
        Self::new(Reach::OnStop, source, run)
    }

    /// Runs by the clock, without a time limit of its own.
    pub fn background<F, Fut>(name: &'static str, source: Source, schedule: Schedule, run: F) -> Self
    where
        F: Fn(Context) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Outcome> + Send + 'static,
    {
        Self::new(Reach::Background(name, schedule), source, run)
    }

    /// Runs for as long as the service does, or until it is told to stop.
    pub fn thread<F, Fut>(name: &'static str, source: Source, options: ThreadOptions, run: F) -> Self
    where
        F: Fn(Context) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Outcome> + Send + 'static,
    {
        Self::new(Reach::Thread(name, options), source, run)
    }

    fn new<F, Fut>(reach: Reach, source: Source, run: F) -> Self
    where
        F: Fn(Context) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Outcome> + Send + 'static,
    {
        Self {
            reach,
            source,
            run: HandlerService::new(run),
            needs: Needs::default(),
            timeout: None,
            concurrency: None,
            idempotent: false,
            doc: "",
            in_flight: InFlight::default(),
        }
    }

    /// Notes what an argument needs when the service starts.
    #[must_use]
    pub fn needs<K, T: Extract<K>>(mut self) -> Self {
        T::needs(&mut self.needs);
        self
    }

    /// Gives the handler this long; the service's own default otherwise.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Runs at most this many at once.
    #[must_use]
    pub fn concurrency(mut self, at_once: usize) -> Self {
        self.concurrency = Some(at_once);
        self
    }

    /// Says that running it twice does no more than running it once.
    #[must_use]
    pub fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    /// The function's documentation.
    #[must_use]
    pub fn doc(mut self, doc: &'static str) -> Self {
        self.doc = doc;
        self
    }

    /// Wraps the handler, if it is one that messages reach.
    pub(crate) fn layered(mut self, layers: &[AnyLayer]) -> Self {
        if matches!(self.reach, Reach::Action(_) | Reach::Listen(_) | Reach::Socket(_)) {
            self.run = layers.iter().fold(self.run, |run, layer| layer.apply(run));
        }
        self
    }
}

/// How many runs of one handler are in flight.
#[derive(Debug, Clone, Default)]
pub(crate) struct InFlight(Arc<AtomicUsize>);

impl InFlight {
    /// One more, until the guard is dropped.
    pub(crate) fn enter(&self) -> InFlightGuard {
        self.0.fetch_add(1, Ordering::Relaxed);
        InFlightGuard(self.clone())
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// One run of a handler.
#[derive(Debug)]
pub(crate) struct InFlightGuard(InFlight);

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}
