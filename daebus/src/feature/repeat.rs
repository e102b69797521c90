//! The task of a repeater: prepares it, runs it repeatedly, and logs its errors when they change.

use std::fmt;
use std::time::Duration;

use daebus_caller::__private::Backoff;
use daebus_caller::BoxError;
use futures_util::future::BoxFuture;

use super::lifecycle::invoke;
use super::{FeatureContext, Repeater};
use crate::runtime::{LogOnChange, Workers};

/// The delay after the first of consecutive failures, and the maximum.
const FIRST_DELAY: Duration = Duration::from_secs(1);
const MAX_DELAY: Duration = Duration::from_secs(30);

/// A repeater of any type.
trait AnyRepeater: Send {
    fn name(&self) -> String;
    fn prepare<'a>(&'a mut self, cx: &'a FeatureContext) -> BoxFuture<'a, Result<(), BoxError>>;
    fn run<'a>(&'a mut self, cx: &'a FeatureContext) -> BoxFuture<'a, Result<(), BoxError>>;
}

impl<R: Repeater> AnyRepeater for R {
    fn name(&self) -> String {
        Repeater::name(self)
    }

    fn prepare<'a>(&'a mut self, cx: &'a FeatureContext) -> BoxFuture<'a, Result<(), BoxError>> {
        Box::pin(Repeater::prepare(self, cx))
    }

    fn run<'a>(&'a mut self, cx: &'a FeatureContext) -> BoxFuture<'a, Result<(), BoxError>> {
        Box::pin(Repeater::run(self, cx))
    }
}

/// The repeaters of an application.
#[derive(Default)]
pub(crate) struct Repeaters(Vec<Box<dyn AnyRepeater>>);

impl Repeaters {
    pub(crate) fn add<R: Repeater>(&mut self, repeater: R) {
        self.0.push(Box::new(repeater));
    }

    /// Starts all repeaters, once the service is ready. They end when the service is requested to stop.
    pub(crate) fn start(self, cx: &FeatureContext, workers: &Workers) {
        for mut repeater in self.0 {
            let (cx, entering) = (cx.clone(), workers.clone());
            workers.spawn(async move {
                let name = repeater.name();
                let _entered = entering.enter(format!("repeater {name}"));
                let shutdown = cx.shutdown();
                tokio::select! {
                    biased;
                    () = shutdown.requested() => {}
                    () = repeat(&cx, &name, &mut *repeater) => {}
                }
            });
        }
    }
}

async fn repeat(cx: &FeatureContext, name: &str, repeater: &mut dyn AnyRepeater) {
    let (mut log, mut prepared) = (LogOnChange::default(), false);
    // Repeaters don't retry in step, so jitter has no effect.
    let mut backoff = Backoff::new(FIRST_DELAY, MAX_DELAY).without_jitter();
    loop {
        let work = if prepared { repeater.run(cx) } else { repeater.prepare(cx) };
        let failure = invoke(cx, name, None, work).await.err().map(|failure| failure.to_string());
        log.log(&format_args!("repeater {name}"), failure.as_deref());
        if failure.is_some() {
            tokio::time::sleep(backoff.next_delay()).await;
        } else {
            prepared = true;
            backoff.reset();
            // A `run` that never waits must neither block its thread nor prevent its own cancellation.
            tokio::task::yield_now().await;
        }
    }
}

impl fmt::Debug for Repeaters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|repeater| repeater.name())).finish()
    }
}
