//! The start-up lines: where the bus is, and what is mounted from where.

use tracing::info;

use crate::context::Core;
use crate::registry::Registry;

pub(super) fn announce(core: &Core, registry: &Registry) {
    for endpoint in registry.endpoints() {
        info!("{} → {}", endpoint.reach, endpoint.source);
    }
    for route in &registry.routes {
        info!("route {route} → {}", route.source);
    }
    info!(instance = &*core.instance, "{} is ready on {}", core.service, core.bus.location());
}
