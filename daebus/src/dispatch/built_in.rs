//! The actions that every service has: `$ping`, `$info` and `$stats`.

use std::sync::{Arc, OnceLock};

use daebus_caller::bus::QueueMeter;
use daebus_caller::wire::{Fault, RawJson};
use tokio::sync::Semaphore;
use tracing::{debug, error};

use super::refusals::{Reason, Refusals};
use crate::blueprint::Registry;
use crate::handler::{Core, Envelope, Replier};
use crate::introspection::{Introspection, Load};
use crate::runtime::Workers;

/// How many are answered at once. The service's own limits don't apply, and a burst must not take its memory.
const AT_ONCE: usize = 256;

/// Answers the actions that every service has, whatever the limits and the state of the service.
#[derive(Clone)]
pub(crate) struct BuiltIns(Arc<Answering>);

struct Answering {
    core: Arc<Core>,
    introspection: Introspection,
    /// The queue of the requests that are received and not yet admitted, once the service has joined its bus.
    intake: OnceLock<QueueMeter>,
    refusals: Refusals,
    places: Arc<Semaphore>,
    workers: Workers,
}

#[derive(Debug, Clone, Copy)]
enum Question {
    Ping,
    Info,
    Stats,
}

impl BuiltIns {
    pub(super) fn new(
        core: &Arc<Core>,
        registry: &Arc<Registry>,
        refusals: Refusals,
        workers: Workers,
    ) -> Self {
        let introspection = Introspection::new(Arc::clone(core), Arc::clone(registry));
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let intake = OnceLock::new();
        Self(Arc::new(Answering { core: Arc::clone(core), introspection, intake, refusals, places, workers }))
    }

    /// Reports the length of the queue of requests from now on.
    pub(super) fn meter(&self, queue: QueueMeter) {
        // A service joins its bus once.
        let _ = self.0.intake.set(queue);
    }

    /// Answers a request for a built-in action in a task of its own. Returns whether the action is one.
    pub(super) fn answer(&self, action: &str, envelope: &Envelope) -> bool {
        let question = match action {
            "$ping" => Question::Ping,
            "$info" => Question::Info,
            "$stats" => Question::Stats,
            _ => return false,
        };
        let Ok(place) = Arc::clone(&self.0.places).try_acquire_owned() else {
            self.0.refusals.push(envelope, Reason::Overloaded);
            return true;
        };
        // Without a channel for the reply there is nothing to do.
        if let Some(replier) = self.0.refusals.replier(envelope) {
            let this = Arc::clone(&self.0);
            self.0.workers.spawn(async move {
                this.reply(question, &replier).await;
                drop(place);
            });
        }
        true
    }

    /// Returns the metrics in Prometheus's text format.
    pub(crate) fn metrics(&self) -> String {
        self.0.introspection.metrics(&self.0.load())
    }
}

impl Answering {
    async fn reply(&self, question: Question, replier: &Replier) {
        // A type's schema is the user's code.
        let report = self.core.panics.contain_sync("a built-in action", || self.report(question));
        let report = report.map_err(|panic| {
            error!(?question, %panic, "panic while a built-in action was answered");
            Fault::internal()
        });
        let sent = replier.finish(report.as_ref()).await;
        if let Err(error) = sent {
            debug!(channel = replier.channel(), %error, "the answer to a built-in action was not delivered");
        }
    }

    fn report(&self, question: Question) -> RawJson {
        match question {
            Question::Ping => self.introspection.ping(),
            Question::Info => self.introspection.info(),
            Question::Stats => self.introspection.stats(&self.load()),
        }
    }

    fn load(&self) -> Load {
        let (intake, intake_full) =
            self.intake.get().map_or((0, 0), |queue| (queue.waiting(), queue.dropped()));
        Load { intake, intake_full, backlog: self.core.admission.waiting(), ..self.refusals.load() }
    }
}
