//! `$info`: the service, and the triggers of its handlers.

use std::collections::BTreeMap;

use daebus_caller::wire::presence::PROTOCOL;
use serde_json::{Map, Value, json};

use crate::blueprint::{Registry, Trigger};
use crate::handler::{Core, Definition};
use crate::runtime::host_name;
use crate::tasks::ScheduleInfo;

/// How many schedules that were added at run time are listed. A service may add one for each user.
const ADDED_SCHEDULES: usize = 256;

pub(super) fn of(core: &Core, registry: &Registry) -> Value {
    let [mut actions, mut channels, mut sockets, mut schedules] = [const { Vec::new() }; 4];
    for (trigger, endpoint) in registry.endpoints() {
        let definition = &endpoint.definition;
        match trigger {
            Trigger::Action(name) => actions.push(action(name, definition)),
            Trigger::Listen(channel) => channels.push(described(definition, [("name", json!(channel))])),
            Trigger::Socket(kind) => sockets.push(described(definition, [("type", json!(kind))])),
            Trigger::SocketBinary => {
                let more = [("type", Value::Null), ("binary", json!(true))];
                sockets.push(described(definition, more));
            }
            Trigger::Background(name, schedule) => {
                let schedule = json!(schedule.to_string());
                schedules.push(described(definition, [("name", json!(name)), ("schedule", schedule)]));
            }
            Trigger::Thread(..)
            | Trigger::OnStart
            | Trigger::OnStop
            | Trigger::MemberJoined
            | Trigger::MemberLeft
            | Trigger::BusConnected
            | Trigger::BusDisconnected => {}
        }
    }
    // The registry keeps these two in maps, and the others in the order of registration.
    actions.sort_by(|a, b| a["name"].as_str().cmp(&b["name"].as_str()));
    sockets.sort_by(|a, b| a["type"].as_str().cmp(&b["type"].as_str()));
    let routes = registry.routes.iter().map(|route| {
        described(&route.definition, [("methods", json!(route.methods)), ("pattern", json!(route.path()))])
    });
    json!({
        "description": core.about.description,
        "host": host_name(),
        "pid": std::process::id(),
        "started": core.about.started.to_string(),
        "protocol": PROTOCOL,
        "actions": actions,
        "channels": channels,
        "routes": routes.collect::<Vec<_>>(),
        "sockets": sockets,
        "schedules": schedules,
    })
}

/// Adds the schedules that were added at run time, and the timing of those that were changed.
pub(super) fn with_schedules(mut info: Value, schedules: Vec<ScheduleInfo>) -> Value {
    let mut timings: BTreeMap<String, String> =
        schedules.into_iter().map(|schedule| (schedule.name, schedule.timing)).collect();
    let mut left_out = 0;
    if let Some(listed) = info["schedules"].as_array_mut() {
        for schedule in &mut *listed {
            let timing = schedule["name"].as_str().and_then(|name| timings.remove(name));
            if let Some(timing) = timing {
                schedule["schedule"] = json!(timing);
            }
        }
        left_out = timings.len().saturating_sub(ADDED_SCHEDULES);
        let added = timings.into_iter().take(ADDED_SCHEDULES);
        listed.extend(added.map(|(name, timing)| json!({"name": name, "schedule": timing, "added": true})));
    }
    if left_out > 0 {
        info["schedules_left_out"] = json!(left_out);
    }
    info
}

fn action(name: &str, definition: &Definition) -> Value {
    let timeout = definition.timeout.map(|timeout| timeout.as_millis());
    let more = [
        ("name", json!(name)),
        ("idempotent", json!(definition.idempotent)),
        ("timeout_ms", json!(timeout)),
        ("concurrency", json!(definition.concurrency)),
    ];
    described(definition, more)
}

/// Returns the documentation of a handler, the schemas of its types, and `more`.
fn described<const N: usize>(definition: &Definition, more: [(&str, Value); N]) -> Value {
    let schemas = &definition.schemas;
    let schemas = [
        ("payload", schemas.payload),
        ("progress", schemas.progress),
        ("answer", schemas.answer),
        ("error", schemas.error),
    ];
    let schemas = schemas.into_iter().filter_map(|(name, make)| Some((name, make?())));
    let description = [("description", json!(definition.doc))];
    let fields = more.into_iter().chain(description).chain(schemas);
    Value::Object(fields.map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
}
