//! What a service reports about itself: `$ping`, `$info` and `$stats`, and its metrics.
//!
//! The names of the fields are those of [NATS ADR-32](https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-32.md)
//! where it has the field.

mod info;
mod load;
mod metrics;
mod stats;

use std::sync::{Arc, OnceLock};

use daebus_caller::wire::RawJson;
use serde_json::{Value, json};

pub(crate) use load::Load;

use crate::blueprint::Registry;
use crate::handler::Core;

/// Reports about one running service.
pub(crate) struct Introspection {
    core: Arc<Core>,
    registry: Arc<Registry>,
    info: OnceLock<RawJson>,
}

impl Introspection {
    pub(crate) fn new(core: Arc<Core>, registry: Arc<Registry>) -> Self {
        Self { core, registry, info: OnceLock::new() }
    }

    /// Returns the answer to `$ping`.
    pub(crate) fn ping(&self) -> RawJson {
        written(&self.report("ping", json!({})))
    }

    /// Returns the answer to `$info`. The JSON Schemas are made once, by the first call.
    pub(crate) fn info(&self) -> RawJson {
        let make = || written(&self.report("info", info::of(&self.core, &self.registry)));
        self.info.get_or_init(make).clone()
    }

    /// Returns the answer to `$stats`.
    pub(crate) fn stats(&self, load: &Load) -> RawJson {
        written(&self.report("stats", stats::of(&self.core, &self.registry, load)))
    }

    /// Returns the metrics in Prometheus's text format.
    pub(crate) fn metrics(&self, load: &Load) -> String {
        metrics::of(&self.core, &self.registry, load)
    }

    /// Adds the fields that all reports have.
    fn report(&self, kind: &str, mut report: Value) -> Value {
        report["type"] = json!(format!("daebus.v1.{kind}_response"));
        report["id"] = json!(self.core.identity.id());
        report["service"] = json!(self.core.service.as_str());
        report["version"] = json!(self.core.about.version);
        report
    }
}

// A `Value` has only keys that are strings, so it always serializes.
fn written(report: &Value) -> RawJson {
    RawJson::from_value(report).unwrap_or_else(|_| RawJson::empty_object())
}
