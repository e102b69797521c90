//! `$info`: the service, and the triggers of its handlers.

use daebus_caller::wire::presence::PROTOCOL;
use serde_json::{Map, Value, json};

use crate::blueprint::{Registry, Trigger};
use crate::handler::{Core, Definition};
use crate::runtime::host_name;

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
