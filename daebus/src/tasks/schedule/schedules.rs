//! The schedules of a service, each with a task of its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;

use super::control::{Ended, ScheduleControl};
use super::info::ScheduleInfo;
use super::{Schedule, Scheduled, serve};
use crate::handler::{Core, Endpoint, States};
use crate::runtime::Workers;
use crate::tasks::error::TaskError;

/// The maximum number of schedules added at run time: bounds a service that adds one for each request.
const ADDED: usize = 10_000;

/// Every schedule of a service, by name.
#[derive(Debug)]
pub(crate) struct Schedules(Mutex<ScheduleMap>);

#[derive(Debug)]
struct ScheduleMap {
    controls: BTreeMap<Arc<str>, Entry>,
    /// The number of schedules that were added at run time.
    added: usize,
    phase: StartPhase,
}

#[derive(Debug)]
struct Entry {
    control: Arc<ScheduleControl>,
    is_added: bool,
}

/// Whether schedules run.
#[derive(Debug)]
enum StartPhase {
    /// The service isn't ready. Added schedules start later.
    Before {
        states: States,
        added: Vec<(Scheduled, Arc<ScheduleControl>)>,
    },
    Started {
        core: Weak<Core>,
        workers: Workers,
    },
}

impl Schedules {
    /// `states` are the states that handlers of added schedules may take.
    pub(crate) fn new(schedules: &[Scheduled], states: States) -> Self {
        let controls = schedules.iter().map(|entry| {
            let name: Arc<str> = entry.endpoint.definition.name.into();
            let control = Arc::new(ScheduleControl::new(Arc::clone(&name), entry));
            (name, Entry { control, is_added: false })
        });
        let phase = StartPhase::Before { states, added: Vec::new() };
        Self(Mutex::new(ScheduleMap { controls: controls.collect(), added: 0, phase }))
    }

    /// Starts all schedules, once the service is ready.
    pub(crate) fn start(self: &Arc<Self>, core: &Arc<Core>, schedules: &[Scheduled], workers: &Workers) {
        let mut map = self.0.lock();
        for entry in schedules {
            if let Some(Entry { control, .. }) = map.controls.get(entry.endpoint.definition.name) {
                // Opened before its task begins, so that `run_now` works as soon as the service is ready.
                control.open();
                let (core, control, workers) = (Arc::clone(core), Arc::clone(control), workers.clone());
                workers.clone().spawn(serve::serve(core, entry.clone(), control, workers, false));
            }
        }
        let started = StartPhase::Started { core: Arc::downgrade(core), workers: workers.clone() };
        if let StartPhase::Before { added, .. } = std::mem::replace(&mut map.phase, started) {
            for (entry, control) in added {
                self.run_added(core, workers, entry, control);
            }
        }
    }

    /// Adds a schedule. Before the service is ready, the schedule starts later.
    pub(crate) fn add(
        self: &Arc<Self>,
        name: &str,
        schedule: Schedule,
        endpoint: Endpoint,
    ) -> Result<(), TaskError> {
        let refused = |reason: String| TaskError::BadSchedule { name: name.to_owned(), reason };
        if name.is_empty() || name.contains(char::is_control) {
            return Err(refused("a name must not be empty or contain control characters".to_owned()));
        }
        let timetable = schedule.timetable().map_err(|mistake| refused(mistake.to_string()))?;
        let entry = Scheduled { schedule, timetable, endpoint };
        let check_states = |states: &States| {
            let missing = entry.endpoint.definition.needs.iter().find(|need| !states.has(need));
            missing.map_or(Ok(()), |need| {
                Err(refused(need.missing(entry.endpoint.definition.source).to_string()))
            })
        };
        let mut map = self.0.lock();
        let running = match &map.phase {
            StartPhase::Before { states, .. } => {
                check_states(states)?;
                None
            }
            StartPhase::Started { core, workers } => {
                let stopping = || TaskError::Stopping { name: name.to_owned() };
                let core =
                    core.upgrade().filter(|core| !core.shutdown.is_requested()).ok_or_else(stopping)?;
                check_states(&core.states)?;
                Some((core, workers.clone()))
            }
        };
        if map.controls.contains_key(name) {
            return Err(TaskError::NameTaken { name: name.to_owned() });
        }
        if map.added >= ADDED {
            return Err(refused(format!(
                "{ADDED} schedules have been added, which is the maximum; remove some first"
            )));
        }
        let name: Arc<str> = name.into();
        let control = Arc::new(ScheduleControl::new(Arc::clone(&name), &entry));
        map.controls.insert(name, Entry { control: Arc::clone(&control), is_added: true });
        map.added += 1;
        match (running, &mut map.phase) {
            (Some((core, workers)), _) => self.run_added(&core, &workers, entry, control),
            (None, StartPhase::Before { added, .. }) => added.push((entry, control)),
            (None, StartPhase::Started { .. }) => {}
        }
        Ok(())
    }

    /// Runs an added schedule until it is removed or its last run has ended.
    fn run_added(
        self: &Arc<Self>,
        core: &Arc<Core>,
        workers: &Workers,
        entry: Scheduled,
        control: Arc<ScheduleControl>,
    ) {
        control.open();
        let (core, schedules, workers) = (Arc::clone(core), Arc::clone(self), workers.clone());
        workers.clone().spawn(async move {
            serve::serve(core, entry, Arc::clone(&control), workers, true).await;
            schedules.forget(&control);
        });
    }

    /// Removes an added schedule. A run in progress continues.
    pub(crate) fn remove(&self, name: &str) -> Result<(), TaskError> {
        let control = self.control(name)?;
        let is_added = self.0.lock().controls.get(name).is_some_and(|entry| entry.is_added);
        if !is_added {
            return Err(TaskError::NotAdded { name: name.to_owned() });
        }
        control.removed.cancel();
        self.forget(&control);
        Ok(())
    }

    /// Removes the entry of an ended schedule, unless another schedule has taken its name.
    fn forget(&self, control: &Arc<ScheduleControl>) {
        let mut map = self.0.lock();
        let is_it = |entry: &Entry| Arc::ptr_eq(&entry.control, control);
        if map.controls.get(control.name()).is_some_and(is_it) {
            map.controls.remove(control.name());
            map.added -= 1;
            if let StartPhase::Before { added, .. } = &mut map.phase {
                added.retain(|(_, other)| !Arc::ptr_eq(other, control));
            }
        }
    }

    pub(crate) fn list(&self) -> Vec<ScheduleInfo> {
        self.0.lock().controls.values().map(|entry| entry.control.info()).collect()
    }

    pub(crate) fn set_interval(&self, name: &str, interval: Duration) -> Result<(), TaskError> {
        self.control(name)?.set_interval(interval)
    }

    pub(crate) fn set_paused(&self, name: &str, paused: bool) -> Result<(), TaskError> {
        self.control(name)?.set_paused(paused);
        Ok(())
    }

    /// Requests a run. The receiver gets its outcome.
    pub(crate) fn request(&self, name: &str) -> Result<Ended, TaskError> {
        self.control(name)?.request()
    }

    fn control(&self, name: &str) -> Result<Arc<ScheduleControl>, TaskError> {
        let map = self.0.lock();
        let unknown = || TaskError::unknown_schedule(name, map.controls.keys().map(|name| &**name));
        map.controls.get(name).map(|entry| Arc::clone(&entry.control)).ok_or_else(unknown)
    }
}
