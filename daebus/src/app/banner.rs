//! The start-up lines: what is mounted from where, and where the service is reached.

use tracing::info;

use super::Service;

pub(super) fn announce(service: &Service) {
    let (core, registry) = (service.core(), service.registry());
    for endpoint in registry.endpoints() {
        info!("{} → {}", endpoint.reach, endpoint.source);
    }
    for route in &registry.routes {
        info!("route {route} → {}", route.source);
    }
    // The addresses as they are bound: port 0 is a number by now.
    if let Some(address) = service.http_addr() {
        info!("HTTP on http://{address}");
    }
    if let Some(url) = service.socket_url() {
        info!("WebSockets on {url}");
    }
    info!(instance = &*core.instance, "{} is ready on {}", core.service, core.bus.location());
}
