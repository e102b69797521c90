//! The rows of the table.

use daebus_caller::{Instance, InstanceId, InstanceState};
use serde::Serialize;

use super::rates::{Rates, requested, total};
use crate::report::StatsReport;

/// The measurement of one instance.
#[derive(Debug, Clone, Serialize)]
pub(super) struct InstanceRates {
    pub(super) service: String,
    pub(super) instance: InstanceId,
    pub(super) state: InstanceState,
    /// What the instance reports now; `None` if it did not answer.
    #[serde(flatten)]
    pub(super) load: Option<InstanceLoad>,
    /// What it did since the last measurement; `None` after the first one.
    #[serde(flatten)]
    pub(super) rates: Option<Rates>,
    /// Why it did not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
}

/// The current load of instances.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(super) struct InstanceLoad {
    pub(super) uptime_seconds: f64,
    /// Runs that have begun or wait for their turn.
    pub(super) in_flight: u64,
    /// Messages and replies that were dropped since the start.
    pub(super) dropped: u64,
}

impl InstanceRates {
    pub(super) fn new(
        instance: &Instance,
        answer: Result<&StatsReport, String>,
        rates: Option<Rates>,
    ) -> Self {
        let load = answer.as_ref().ok().map(|report| InstanceLoad {
            uptime_seconds: report.uptime_seconds,
            in_flight: requested(report).map(|handler| handler.in_flight).sum(),
            dropped: total(&report.dropped),
        });
        Self {
            service: instance.service.clone(),
            instance: instance.id.clone(),
            state: instance.state,
            load,
            rates,
            error: answer.err(),
        }
    }
}

/// The sum of the measurements of a service's instances.
#[derive(Debug, Default, PartialEq)]
pub(super) struct ServiceRates {
    pub(super) load: InstanceLoad,
    pub(super) rates: Option<Rates>,
}

impl ServiceRates {
    pub(super) fn of(instances: &[InstanceRates]) -> Self {
        let mut sum = Self::default();
        for InstanceRates { load, rates, .. } in instances {
            if let Some(InstanceLoad { uptime_seconds, in_flight, dropped }) = load {
                sum.load.uptime_seconds = sum.load.uptime_seconds.max(*uptime_seconds);
                sum.load.in_flight += in_flight;
                sum.load.dropped += dropped;
            }
            if let Some(rates) = rates {
                sum.rates.get_or_insert_default().add(rates);
            }
        }
        sum
    }
}
