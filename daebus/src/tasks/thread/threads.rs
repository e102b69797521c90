//! The threads of a service: an operating system thread for a plain `fn`, a task for an `async fn`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::control::ThreadControl;
use super::info::ThreadInfo;
use super::{Threaded, supervise};
use crate::handler::Core;
use crate::runtime::Workers;
use crate::tasks::error::TaskError;

/// Whether threads start with the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AutoStart {
    /// As each thread's options set it.
    AsSaid,
    /// A test starts each thread explicitly.
    #[cfg(feature = "testing")]
    Never,
}

/// Every thread of a service, by name.
#[derive(Debug)]
pub(crate) struct Threads {
    controls: BTreeMap<&'static str, Arc<ThreadControl>>,
    /// How long [`stop`](Self::stop) waits for a thread to end.
    patience: Duration,
}

impl Threads {
    pub(crate) fn new(threads: &[Threaded], auto_start: AutoStart, patience: Duration) -> Self {
        let may_start = auto_start == AutoStart::AsSaid;
        let control = |entry: &Threaded| {
            (
                entry.endpoint.definition.name,
                Arc::new(ThreadControl::new(
                    entry.endpoint.definition.name,
                    entry.options.auto_start && may_start,
                )),
            )
        };
        Self { controls: threads.iter().map(control).collect(), patience }
    }

    /// Starts the supervisors, once the service is ready.
    pub(crate) fn watch(&self, core: &Arc<Core>, threads: &[Threaded], workers: &Workers) {
        for entry in threads {
            if let Some(control) = self.controls.get(entry.endpoint.definition.name) {
                workers.spawn(supervise::supervise(Arc::clone(core), entry.clone(), Arc::clone(control)));
            }
        }
    }

    pub(crate) fn list(&self) -> Vec<ThreadInfo> {
        self.controls.values().map(|control| control.info()).collect()
    }

    pub(crate) fn start(&self, name: &str) -> Result<(), TaskError> {
        self.control(name)?.start()
    }

    pub(crate) async fn stop(&self, name: &str) -> Result<(), TaskError> {
        self.control(name)?.stop(self.patience).await
    }

    fn control(&self, name: &str) -> Result<&Arc<ThreadControl>, TaskError> {
        let unknown = || TaskError::unknown_thread(name, self.controls.keys().copied());
        self.controls.get(name).ok_or_else(unknown)
    }
}
