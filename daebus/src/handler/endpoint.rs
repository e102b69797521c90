//! A handler as the bus, WebSockets, schedules, threads and hooks run it.

use std::any::type_name;
use std::future::Future;
use std::panic::Location;

use super::context::Context;
use super::definition::{Definition, Source};
use super::layer::{AnyLayer, HandlerService};
use super::outcome::{Handler, Outcome};
use super::state::Needs;

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
        Self { definition, run: HandlerService::new(move |cx| Box::pin(run(cx))) }
    }

    /// Creates the endpoint of a handler without attributes, located at the caller.
    #[track_caller]
    pub(crate) fn of<K, Args, H: Handler<K, Args>>(handler: H) -> Self {
        let at = Location::caller();
        let source = Source::new(type_name::<H>(), "", at.file(), at.line());
        let mut needs = Needs::default();
        H::needs(&mut needs);
        let run = HandlerService::new(move |cx| handler.clone().call(cx));
        Self { definition: Definition::new(source, needs), run }
    }

    /// Wraps the handler in layers; the last one is the outermost.
    pub(crate) fn layered(mut self, layers: &[AnyLayer]) -> Self {
        self.run = layers.iter().fold(self.run, |run, layer| layer.apply(run));
        self
    }
}
