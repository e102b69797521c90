//! The start-up lines: what is mounted from where, and where the service is reached.

use tracing::info;

use super::Service;
use crate::handler::Core;

pub(super) fn announce(service: &Service) {
    let (core, registry) = (service.core(), service.registry());
    for (trigger, endpoint) in registry.endpoints() {
        info!("{trigger} → {}", endpoint.definition.source);
    }
    for route in &registry.routes {
        info!("route {route} → {}", route.definition.source);
    }
    // The addresses as they are bound: port 0 is a number by now.
    if let Some(address) = service.http_addr() {
        info!("HTTP on http://{address}");
    }
    if let Some(url) = service.socket_url() {
        info!("WebSockets on {url}");
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
