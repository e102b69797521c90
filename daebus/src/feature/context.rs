use std::fmt;
use std::sync::Arc;

use daebus_caller::bus::Bus;

use crate::events::Events;
use crate::handler::extract::{Broadcast, Cache, Callers};
use crate::handler::{Core, Failure};
use crate::runtime::Shutdown;
use crate::tasks::Tasks;

/// Gives features and repeaters access to the service.
///
/// Cloning it is cheap. A feature must not store a clone in itself: the two would keep each other alive. Store the
/// [`Broadcast`], [`Callers`] or [`Cache`] that the feature needs instead.
#[derive(Clone)]
pub struct FeatureContext {
    core: Arc<Core>,
    events: Events,
    tasks: Tasks,
}

impl FeatureContext {
    pub(crate) fn new(core: &Arc<Core>, tasks: Tasks) -> Result<Self, Failure> {
        Ok(Self { core: Arc::clone(core), events: Events::new(core)?, tasks })
    }

    /// Returns the name of the service.
    pub fn service(&self) -> &str {
        self.core.service.as_str()
    }

    /// Returns the bus.
    pub fn bus(&self) -> &Arc<dyn Bus> {
        &self.core.bus
    }

    /// Returns a publisher of messages to channels.
    pub fn broadcast(&self) -> Broadcast {
        Broadcast::new(self.core.outbox.clone())
    }

    /// Returns a factory for callers of other services.
    pub fn callers(&self) -> Callers {
        Callers::new(self.core.link.clone())
    }

    /// Returns the events of the service. Listeners that are started in `start` receive messages before the service is ready.
    pub fn events(&self) -> Events {
        self.events.clone()
    }

    /// Returns the key-value store on the bus.
    pub fn cache(&self) -> Cache {
        Cache::new(Arc::clone(&self.core.bus))
    }

    /// Returns the schedules, threads and tasks of the service.
    pub fn tasks(&self) -> Tasks {
        self.tasks.clone()
    }

    /// Returns a handle that requests the service to stop, or waits for such a request.
    pub fn shutdown(&self) -> Shutdown {
        self.core.shutdown.clone()
    }

    /// Returns a clone of the value given to [`Daebus::state`](crate::Daebus::state), or `None` if there is none of this type.
    pub fn state<T: Clone + 'static>(&self) -> Option<T> {
        self.core.states.get().cloned()
    }

    /// Returns another feature, or `None` if the application has none of this type. During `start`, only features that were
    /// added earlier have started.
    pub fn feature<F: Send + Sync + 'static>(&self) -> Option<Arc<F>> {
        self.state()
    }

    pub(super) fn core(&self) -> &Arc<Core> {
        &self.core
    }
}

impl fmt::Debug for FeatureContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FeatureContext").field("service", &self.service()).finish_non_exhaustive()
    }
}
