//! The reports of a service about itself: `$ping`, `$info`, `$stats` and metrics.
//!
//! Fields that [NATS ADR-32](https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-32.md) defines have the
//! same names here.

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
use crate::tasks::Tasks;

/// The reports of one running service.
pub(crate) struct Introspection {
    core: Arc<Core>,
    registry: Arc<Registry>,
    info: OnceLock<Value>,
}

impl Introspection {
    pub(crate) fn new(core: Arc<Core>, registry: Arc<Registry>) -> Self {
        Self { core, registry, info: OnceLock::new() }
    }

    /// Returns the answer to `$ping`.
    pub(crate) fn ping(&self) -> RawJson {
        written(&self.report("ping", json!({})))
    }

    /// Returns the answer to `$info`. The first call generates the JSON Schemas.
    pub(crate) fn info(&self) -> RawJson {
        let make = || self.report("info", info::of(&self.core, &self.registry));
        let schedules = self.core.provided.get::<Tasks>().map(Tasks::schedules).unwrap_or_default();
        written(&info::with_schedules(self.info.get_or_init(make).clone(), schedules))
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

// All keys of a `Value` are strings, so it always serializes.
fn written(report: &Value) -> RawJson {
    RawJson::from_value(report).unwrap_or_else(|_| RawJson::empty_object())
}
