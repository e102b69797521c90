//! A handler as the bus, WebSockets, schedules, threads and hooks run it.

use std::future::Future;

use super::context::Context;
use super::definition::Definition;
use super::layer::{AnyLayer, HandlerService};
use super::outcome::Outcome;

/// A handler as the bus, WebSockets, schedules, threads and hooks run it.
#[derive(Debug, Clone)]
pub struct Endpoint {
    pub(crate) definition: Definition,
    pub(crate) run: HandlerService,
}

impl Endpoint {
    /// Creates the endpoint of a function.
    pub fn new<F, Fut>(definition: Definition, run: F) -> Self
    where
        F: Fn(Context) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Outcome> + Send + 'static,
    {
        Self { definition, run: HandlerService::new(run) }
    }

    /// Wraps the handler in layers; the last one is the outermost.
    pub(crate) fn layered(mut self, layers: &[AnyLayer]) -> Self {
        self.run = layers.iter().fold(self.run, |run, layer| layer.apply(run));
        self
    }
}
