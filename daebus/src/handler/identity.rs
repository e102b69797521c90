//! The identity of this instance of the service on the bus.

use std::sync::Arc;

use daebus_caller::InstanceId;
use daebus_caller::wire::ServiceName;
use daebus_caller::wire::presence::Presence;
use parking_lot::RwLock;
use uuid::Uuid;

/// The identity of this instance of the service on the bus.
#[derive(Debug)]
pub(crate) struct Identity {
    service: ServiceName,
    is_configured: bool,
    presence: RwLock<Arc<Presence>>,
}

impl Identity {
    /// Creates the identity of a start of the service. Without a configured id, the id is random.
    pub(crate) fn new(service: &ServiceName, configured: Option<InstanceId>) -> Self {
        let is_configured = configured.is_some();
        let id = configured.unwrap_or_else(|| InstanceId::random(service.as_str()));
        let presence = Presence::new(service.as_str(), id, Uuid::new_v4());
        Self { service: service.clone(), is_configured, presence: RwLock::new(Arc::new(presence)) }
    }

    pub(crate) fn id(&self) -> InstanceId {
        self.presence.read().id().clone()
    }

    pub(crate) fn presence(&self) -> Arc<Presence> {
        Arc::clone(&self.presence.read())
    }

    pub(crate) fn is_configured(&self) -> bool {
        self.is_configured
    }

    /// Draws another random id, before the first one was announced.
    pub(crate) fn redraw(&self) {
        let mut presence = self.presence.write();
        let id = InstanceId::random(self.service.as_str());
        *presence = Arc::new(Presence::new(self.service.as_str(), id, presence.run()));
    }
}
