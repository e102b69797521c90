//! The definition of a handler: source position, needs and limits.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::schemas::Schemas;
use super::state::Needs;
use super::turn::InFlight;
use crate::statistics::HandlerStatistics;

/// The position of a handler in the source code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    function: &'static str,
    module: &'static str,
    file: &'static str,
    line: u32,
}

impl Source {
    /// Creates the position of a function in a module.
    pub const fn new(function: &'static str, module: &'static str, file: &'static str, line: u32) -> Self {
        Self { function, module, file, line }
    }

    pub(crate) fn function(&self) -> &'static str {
        self.function
    }

    /// Returns the path of the function, which stays the same when the file changes.
    pub(crate) fn path(&self) -> String {
        let Self { function, module, .. } = self;
        if module.is_empty() { (*function).to_owned() } else { format!("{module}::{function}") }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}:{})", self.path(), self.file, self.line)
    }
}

/// The definition of a handler: source position, needs and limits.
#[derive(Debug, Clone)]
pub struct Definition {
    /// The action, channel, message type, schedule or thread; otherwise the function's name.
    pub(crate) name: &'static str,
    pub(crate) source: Source,
    pub(crate) needs: Needs,
    pub(crate) timeout: Option<Duration>,
    pub(crate) concurrency: Option<usize>,
    /// Admits `concurrency` runs at once.
    pub(crate) limit: Option<Arc<Semaphore>>,
    pub(crate) idempotent: bool,
    /// Of several instances of the service, one runs the handler.
    pub(crate) singleton: bool,
    /// A request has to open a session.
    pub(crate) session: bool,
    pub(crate) doc: &'static str,
    pub(crate) schemas: Schemas,
    /// The runs that have begun or wait for their turn.
    pub(crate) in_flight: InFlight,
    /// The runs among them that wait for their turn.
    pub(crate) waiting: InFlight,
    pub(crate) statistics: Arc<HandlerStatistics>,
}

impl Definition {
    /// Defines a handler without limits of its own. `needs` is what its arguments need when the service starts.
    pub fn new(source: Source, needs: Needs) -> Self {
        Self {
            name: source.function(),
            source,
            session: needs.has_session(),
            needs,
            timeout: None,
            concurrency: None,
            limit: None,
            idempotent: false,
            singleton: false,
            doc: "",
            schemas: Schemas::default(),
            in_flight: InFlight::default(),
            waiting: InFlight::default(),
            statistics: Arc::default(),
        }
    }

    /// Sets how long one run may take. Defaults to the service's timeout.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets the maximum number of concurrent runs. Zero counts as one.
    #[must_use]
    pub fn concurrency(mut self, at_once: usize) -> Self {
        self.concurrency = Some(at_once);
        self
    }

    /// Declares that two runs have the same effect as one.
    #[must_use]
    pub fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    /// Declares that of several instances of the service one runs the handler.
    #[must_use]
    pub fn singleton(mut self) -> Self {
        self.singleton = true;
        self
    }

    /// Declares that the handler returns a stream, so that requests have to open a session.
    #[must_use]
    pub fn session(mut self) -> Self {
        self.session = true;
        self
    }

    /// Sets the function's documentation.
    #[must_use]
    pub fn doc(mut self, doc: &'static str) -> Self {
        self.doc = doc;
        self
    }

    /// Sets the JSON Schemas of the function's types.
    #[must_use]
    pub fn schemas(mut self, schemas: Schemas) -> Self {
        self.schemas = schemas;
        self
    }

    /// Returns the definition with a limit of one run, unless it has a limit.
    pub(crate) fn one_at_a_time(self) -> Self {
        Self { concurrency: self.concurrency.or(Some(1)), ..self }
    }

    /// Returns the definition with counters and a limit of its own: a blueprint may be cloned and mounted in several
    /// services.
    pub(crate) fn mounted(self) -> Self {
        let permits = self.concurrency.map(|at_once| at_once.clamp(1, Semaphore::MAX_PERMITS));
        let limit = permits.map(|permits| Arc::new(Semaphore::new(permits)));
        Self {
            limit,
            in_flight: InFlight::default(),
            waiting: InFlight::default(),
            statistics: Arc::default(),
            ..self
        }
    }
}
