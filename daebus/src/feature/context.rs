use std::fmt;
use std::sync::Arc;

use daebus_caller::bus::Bus;

use crate::events::Events;
use crate::handler::extract::{Broadcast, Cache, Callers};
use crate::handler::{Core, Failure};
use crate::runtime::Shutdown;
use crate::tasks::Tasks;

/// What features and repeaters have of the service. A clone is cheap, but one that a feature keeps in itself keeps
/// both alive for good: keep what is needed of it instead.
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

    /// The service's name.
    pub fn service(&self) -> &str {
        self.core.service.as_str()
    }

    /// The bus itself.
    pub fn bus(&self) -> &Arc<dyn Bus> {
        &self.core.bus
    }

    /// Publishes to channels.
    pub fn broadcast(&self) -> Broadcast {
        Broadcast::new(self.core.outbox.clone())
    }

    /// Makes callers of other services.
    pub fn callers(&self) -> Callers {
        Callers::new(self.core.link.clone())
    }

    /// Listens to channels. What is listened to in `start` is heard from then on, before the service itself is ready.
    pub fn events(&self) -> Events {
        self.events.clone()
    }

    /// The small key-value store on the bus.
    pub fn cache(&self) -> Cache {
        Cache::new(Arc::clone(&self.core.bus))
    }

    /// The service's schedules and threads, and work beside the handlers.
    pub fn tasks(&self) -> Tasks {
        self.tasks.clone()
    }

    /// Asks the service to stop, or waits until somebody does.
    pub fn shutdown(&self) -> Shutdown {
        self.core.shutdown.clone()
    }

    /// What `.state(T)` put in; `None` when nobody did.
    pub fn state<T: Clone + 'static>(&self) -> Option<T> {
        self.core.states.get().cloned()
    }

    /// Another feature; `None` when it wasn't put in. It has started if it was put in earlier.
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
