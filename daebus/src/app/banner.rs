//! The log lines of the start: the mounted handlers and the addresses.

use tracing::info;

use super::Service;
use crate::blueprint::Trigger;
use crate::handler::Core;
use crate::tasks::ScheduleInfo;

/// Logs the mounted handlers and the addresses. `is_ready`: the service has joined its bus. Otherwise [`ready`] logs it later.
pub(super) fn announce(service: &Service, is_ready: bool) {
    let (core, registry) = (service.core(), service.registry());
    let schedules = service.tasks().schedules();
    for (trigger, endpoint) in registry.endpoints() {
        let source = endpoint.definition.source;
        let schedule = match trigger {
            Trigger::Background(name, _) => schedules.iter().find(|schedule| schedule.name == name),
            _ => None,
        };
        // `on_start` may have changed the schedule of the attribute.
        match schedule {
            Some(ScheduleInfo { name, timing, paused: true, .. }) => {
                info!("background {name:?} ({timing}, paused) → {source}");
            }
            Some(ScheduleInfo { name, timing, .. }) => info!("background {name:?} ({timing}) → {source}"),
            None => info!("{trigger} → {source}"),
        }
    }
    for route in &registry.routes {
        info!("route {route} → {}", route.definition.source);
    }
    // The bound addresses: port 0 has been replaced by the actual port.
    if let Some(address) = service.http_addr() {
        info!("HTTP on http://{address}");
    }
    if let Some(url) = service.socket_url() {
        info!("WebSockets on {url}");
    }
    if is_ready {
        ready(core);
    } else if !core.readiness.is_ready() {
        info!("{} has started and joins {} once it is available", core.service, core.bus.location());
    }
}

pub(super) fn ready(core: &Core) {
    info!(instance = %core.identity.id(), "{} is ready on {}", core.service, core.bus.location());
}
