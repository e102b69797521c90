//! `$stats`: the counters of the handlers and queues, and the numbers of dropped messages.

use serde_json::{Value, json};

use super::load::Load;
use crate::blueprint::Registry;
use crate::handler::{Core, Definition};
use crate::statistics::LastError;

pub(super) fn of(core: &Core, registry: &Registry, load: &Load) -> Value {
    let mut listener_drops = 0;
    let mut handlers = Vec::new();
    for (kind, name, definition) in registry.named() {
        let handler = handler(kind, &name, definition);
        listener_drops += handler["queue"]["dropped"].as_u64().unwrap_or_default();
        handlers.push(handler);
    }
    json!({
        "started": core.about.started.to_string(),
        "uptime_seconds": core.about.began.elapsed().as_secs_f64(),
        "handlers": handlers,
        "queues": {"intake": load.intake, "backlog": load.backlog, "refusals": load.refusals},
        "refused": load.refused,
        "dropped": {
            "intake": load.intake_full,
            "listeners": listener_drops,
            "refusals": load.refusals_dropped,
            "replies": core.outbox.lost_replies(),
            "bus": core.bus.lost(),
        },
    })
}

fn handler(kind: &str, name: &str, definition: &Definition) -> Value {
    let statistics = definition.statistics.snapshot();
    let durations = &statistics.durations;
    let nanos = |duration: std::time::Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let mut handler = json!({
        "kind": kind,
        "name": name,
        "function": definition.source.to_string(),
        "num_requests": statistics.runs(),
        "num_errors": statistics.failures(),
        "num_panics": statistics.panics,
        "num_timeouts": statistics.timeouts,
        "num_cancelled": statistics.cancelled,
        "num_expired": statistics.expired,
        "last_error": statistics.last_error.as_ref().map(last_error),
        "in_flight": definition.in_flight.count(),
        "processing_time": nanos(durations.sum()),
        "average_processing_time": nanos(durations.mean()),
        "p99_processing_time": nanos(durations.percentile(99)),
    });
    if let Some((length, dropped)) = statistics.queue {
        handler["queue"] = json!({"length": length, "dropped": dropped});
    }
    handler
}

fn last_error(LastError { message, code, at }: &LastError) -> Value {
    json!({"message": message, "code": code, "at": at.to_string()})
}
