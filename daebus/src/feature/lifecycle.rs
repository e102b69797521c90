//! Starting features in order, and stopping those that started in reverse order.

use std::any::{TypeId, type_name};
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use daebus_caller::BoxError;
use daebus_caller::deadline::Deadline;
use daebus_caller::wire::FaultCode;
use futures_util::future::BoxFuture;
use tracing::{debug, error};

use super::{Feature, FeatureContext};
use crate::error::Mistake;
use crate::handler::{Failure, Invocation};

/// The time limit of each `before_stop` and each `stop`, equal to that of `on_stop` handlers.
const STOP: Duration = Duration::from_secs(10);

/// A feature of any type.
trait AnyFeature: Send + Sync {
    fn start<'a>(&'a self, cx: &'a FeatureContext) -> BoxFuture<'a, Result<(), BoxError>>;
    fn before_stop<'a>(&'a self, cx: &'a FeatureContext) -> BoxFuture<'a, Result<(), BoxError>>;
    fn stop<'a>(&'a self, cx: &'a FeatureContext) -> BoxFuture<'a, Result<(), BoxError>>;
}

impl<F: Feature> AnyFeature for F {
    fn start<'a>(&'a self, cx: &'a FeatureContext) -> BoxFuture<'a, Result<(), BoxError>> {
        Box::pin(Feature::start(self, cx))
    }

    fn before_stop<'a>(&'a self, cx: &'a FeatureContext) -> BoxFuture<'a, Result<(), BoxError>> {
        Box::pin(Feature::before_stop(self, cx))
    }

    fn stop<'a>(&'a self, cx: &'a FeatureContext) -> BoxFuture<'a, Result<(), BoxError>> {
        Box::pin(Feature::stop(self, cx))
    }
}

struct FeatureEntry {
    id: TypeId,
    name: &'static str,
    feature: Arc<dyn AnyFeature>,
}

/// The features of an application, in the order in which they were added.
#[derive(Default)]
pub(crate) struct Features {
    entries: Vec<FeatureEntry>,
    doubled: Vec<&'static str>,
    /// The number of features, counted from the first, that have started and not been stopped.
    started: AtomicUsize,
}

impl Features {
    /// Adds a feature, unless there is one of its type.
    pub(crate) fn add<F: Feature>(&mut self, feature: F) -> Option<Arc<F>> {
        let (id, name) = (TypeId::of::<F>(), type_name::<F>());
        if self.entries.iter().any(|entry| entry.id == id) {
            self.doubled.push(name);
            return None;
        }
        let feature = Arc::new(feature);
        self.entries.push(FeatureEntry { id, name, feature: feature.clone() });
        Some(feature)
    }

    /// Returns a mistake for each type that was added twice.
    pub(crate) fn mistakes(&self) -> Vec<Mistake> {
        let twice = self.doubled.iter();
        twice
            .map(|name| {
                Mistake::new(format!(
                    "the feature {name} was added twice; remove one, or wrap one of the two in a newtype"
                ))
            })
            .collect()
    }

    /// Starts all features in order. Returns the name and the error of the first that fails.
    pub(crate) async fn start(&self, cx: &FeatureContext, within: Duration) -> Result<(), (String, Failure)> {
        for entry in &self.entries {
            let started = invoke(cx, entry.name, Some(within), entry.feature.start(cx)).await;
            started.map_err(|failure| (entry.name.to_owned(), failure))?;
            debug!(feature = entry.name, "feature started");
            self.started.fetch_add(1, Ordering::AcqRel);
        }
        Ok(())
    }

    /// Runs `before_stop` of the features that have started, in reverse order.
    pub(crate) async fn before_stop(&self, cx: &FeatureContext) {
        for entry in self.started().rev() {
            let result = invoke(cx, entry.name, Some(STOP), entry.feature.before_stop(cx)).await;
            if let Err(reason) = result {
                error!(feature = entry.name, %reason, "before_stop failed");
            }
        }
    }

    /// Stops the features that have started, in reverse order, each once.
    pub(crate) async fn stop(&self, cx: &FeatureContext) {
        for entry in self.started().rev() {
            // Counted down one by one, so that dropping this future keeps track of the remaining features.
            self.started.fetch_sub(1, Ordering::AcqRel);
            match invoke(cx, entry.name, Some(STOP), entry.feature.stop(cx)).await {
                Ok(()) => debug!(feature = entry.name, "feature stopped"),
                Err(reason) => error!(feature = entry.name, %reason, "stop failed"),
            }
        }
    }

    fn started(&self) -> impl DoubleEndedIterator<Item = &FeatureEntry> {
        self.entries.iter().take(self.started.load(Ordering::Acquire))
    }
}

/// Runs a step of a feature or a repeater.
pub(super) async fn invoke(
    cx: &FeatureContext,
    name: &str,
    within: Option<Duration>,
    work: impl Future<Output = Result<(), BoxError>> + Send,
) -> Result<(), Failure> {
    let run = Invocation::of_feature(cx.core(), name);
    let work = async { work.await.map_err(Failure::from) };
    let outcome = run.run(within.map(Deadline::after), Box::pin(work)).await;
    outcome.map_err(|failure| match (failure.fault().reserved_code(), within) {
        (Some(FaultCode::DeadlineExceeded), Some(within)) => {
            Failure::internal(format!("it did not finish within {within:?}"))
        }
        _ => failure,
    })
}

impl fmt::Debug for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.entries.iter().map(|entry| entry.name)).finish()
    }
}
