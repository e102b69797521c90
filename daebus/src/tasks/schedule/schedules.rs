//! Runs handlers by the clock: one task a schedule, which wakes, checks, and calls.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::control::{Ended, ScheduleControl};
use super::info::ScheduleInfo;
use super::{Scheduled, serve};
use crate::handler::Core;
use crate::runtime::Workers;
use crate::tasks::error::TaskError;

/// Every schedule of a service, by name.
#[derive(Debug)]
pub(crate) struct Schedules {
    controls: BTreeMap<&'static str, Arc<ScheduleControl>>,
}

impl Schedules {
    pub(crate) fn new(schedules: &[Scheduled]) -> Self {
        let controls = schedules
            .iter()
            .map(|entry| (entry.endpoint.definition.name, Arc::new(ScheduleControl::new(entry))));
        Self { controls: controls.collect() }
    }

    /// Starts them, the service being ready.
    pub(crate) fn start(&self, core: &Arc<Core>, schedules: &[Scheduled], workers: &Workers) {
        for entry in schedules {
            if let Some(control) = self.controls.get(entry.endpoint.definition.name) {
                // Before its task has begun, so that a service that says it is ready takes a `run_now` at once.
                control.open();
                let (core, control, workers) = (Arc::clone(core), Arc::clone(control), workers.clone());
                workers.clone().spawn(serve::serve(core, entry.clone(), control, workers));
            }
        }
    }

    pub(crate) fn list(&self) -> Vec<ScheduleInfo> {
        self.controls.values().map(|control| control.info()).collect()
    }

    pub(crate) fn set_interval(&self, name: &str, interval: Duration) -> Result<(), TaskError> {
        self.control(name)?.set_interval(interval)
    }

    pub(crate) fn set_paused(&self, name: &str, paused: bool) -> Result<(), TaskError> {
        self.control(name)?.set_paused(paused);
        Ok(())
    }

    /// Asks for a run now; the receiver tells how it ended.
    pub(crate) fn request(&self, name: &str) -> Result<Ended, TaskError> {
        self.control(name)?.request()
    }

    fn control(&self, name: &str) -> Result<&Arc<ScheduleControl>, TaskError> {
        let unknown = || TaskError::unknown_schedule(name, self.controls.keys().copied());
        self.controls.get(name).ok_or_else(unknown)
    }
}
