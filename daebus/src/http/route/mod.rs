//! One annotated function at one path: what it takes out of an HTTP request, and how its value becomes a response.

mod answer;
mod argument;
mod body;
mod form;
mod parameter;
mod pattern;
mod payload;
mod refusal;
mod request;

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use futures_util::future::BoxFuture;

pub use answer::{
    RouteRet, RouteViaNothing, RouteViaResponse, RouteViaResult, RouteViaResultResponse, RouteViaUnit,
    RouteViaValue,
};
pub use argument::{RouteArg, argument};
pub(crate) use body::{Late, Timed, too_large};
pub use parameter::{PathParameter, parameter};
pub(crate) use pattern::{Pattern, Segment};
pub use refusal::Answered;
pub(crate) use refusal::Refusal;
pub use request::RouteRequest;

use crate::handler::Definition;

type Run = Arc<dyn Fn(RouteRequest) -> BoxFuture<'static, Answered> + Send + Sync>;

/// A handler and the paths and methods that reach it. `#[route]` writes these; [`Blueprint`](crate::Blueprint)
/// collects them.
#[derive(Clone)]
pub struct Route {
    pub(crate) methods: &'static [&'static str],
    pub(crate) pattern: &'static str,
    /// The blueprint's.
    pub(crate) prefix: String,
    pub(crate) status: u16,
    pub(crate) definition: Definition,
    pub(crate) run: Run,
}

impl Route {
    /// Answers requests to a path.
    pub fn new<F, Fut>(
        methods: &'static [&'static str],
        pattern: &'static str,
        definition: Definition,
        run: F,
    ) -> Self
    where
        F: Fn(RouteRequest) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Answered> + Send + 'static,
    {
        Self {
            methods,
            pattern,
            prefix: String::new(),
            status: 200,
            definition,
            run: Arc::new(move |request| Box::pin(run(request))),
        }
    }

    /// The status of an answer that would be a 200 otherwise.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The whole pattern, the blueprint's prefix before it.
    pub(crate) fn path(&self) -> String {
        match (self.prefix.as_str(), self.pattern) {
            ("", pattern) => pattern.to_owned(),
            // The blueprint's root is the prefix itself.
            (prefix, "/") => prefix.to_owned(),
            (prefix, pattern) => format!("{prefix}{pattern}"),
        }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.methods.join(", "), self.path())
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route")
            .field("methods", &self.methods)
            .field("path", &self.path())
            .field("source", &self.definition.source)
            .finish_non_exhaustive()
    }
}
