//! One handler: where it stands in the source, what it needs, its limits, and how to run it.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::context::Context;
use super::layer::{AnyLayer, HandlerService};
use super::outcome::Outcome;
use super::state::Needs;

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

/// One handler: where it stands in the source, what it needs, its limits, and how to run it.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The action, channel, message type, schedule or thread; the function's name for hooks.
    pub(crate) name: &'static str,
    pub(crate) source: Source,
    pub(crate) run: HandlerService,
    pub(crate) needs: Needs,
    pub(crate) timeout: Option<Duration>,
    pub(crate) concurrency: Option<usize>,
    /// Admits `concurrency` runs at once.
    pub(crate) limit: Option<Arc<Semaphore>>,
    pub(crate) idempotent: bool,
    pub(crate) doc: &'static str,
    /// How many run or wait to run.
    pub(crate) in_flight: InFlight,
}

impl Endpoint {
    /// A handler without limits of its own.
    pub fn new<F, Fut>(source: Source, run: F) -> Self
    where
        F: Fn(Context) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Outcome> + Send + 'static,
    {
        Self {
            name: source.function(),
            source,
            run: HandlerService::new(run),
            needs: Needs::default(),
            timeout: None,
            concurrency: None,
            limit: None,
            idempotent: false,
            doc: "",
            in_flight: InFlight::default(),
        }
    }

    /// Adds what the arguments need when the service starts.
    #[must_use]
    pub fn needs(mut self, needs: Needs) -> Self {
        self.needs.extend(needs);
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

    /// Gives the endpoint counters and a limit of its own: a blueprint may be cloned and mounted in several services.
    pub(crate) fn mounted(mut self) -> Self {
        self.limit = self
            .concurrency
            .map(|at_once| Arc::new(Semaphore::new(at_once.clamp(1, Semaphore::MAX_PERMITS))));
        self.in_flight = InFlight::default();
        self
    }

    /// Wraps the handler in layers; the last one is the outermost.
    pub(crate) fn layered(mut self, layers: &[AnyLayer]) -> Self {
        self.run = layers.iter().fold(self.run, |run, layer| layer.apply(run));
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
