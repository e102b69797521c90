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
    if core.readiness.is_ready() {
        ready(core);
    } else {
        info!("{} is up, and joins {} when it is there", core.service, core.bus.location());
    }
}

pub(super) fn ready(core: &Core) {
    info!(instance = &*core.instance, "{} is ready on {}", core.service, core.bus.location());
}
