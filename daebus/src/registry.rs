//! Every handler of an application, checked and found by name.

use std::collections::HashMap;
use std::sync::Arc;

use daebus_caller::wire::Channel;
use tokio::sync::Semaphore;

use crate::blueprint::Blueprint;
use crate::endpoint::{Endpoint, Reach, Source};
use crate::layer::AnyLayer;
use crate::plan::{Schedule, ThreadOptions, Timetable};
use crate::route::Route;
use crate::state::{Needs, States};

/// An action as the bus loop runs it, or a socket handler as a client's session does.
#[derive(Debug)]
pub(crate) struct Action {
    pub(crate) name: &'static str,
    pub(crate) endpoint: Endpoint,
    /// Its own limit, beside the service's.
    pub(crate) limit: Option<Arc<Semaphore>>,
}

/// A handler that runs by the clock.
#[derive(Debug, Clone)]
pub(crate) struct Scheduled {
    pub(crate) name: &'static str,
    pub(crate) schedule: Schedule,
    pub(crate) timetable: Timetable,
    pub(crate) endpoint: Endpoint,
}

/// A handler that runs for as long as it is to.
#[derive(Debug, Clone)]
pub(crate) struct Threaded {
    pub(crate) name: &'static str,
    pub(crate) options: ThreadOptions,
    pub(crate) endpoint: Endpoint,
}

/// Every handler of an application.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    actions: HashMap<&'static str, Arc<Action>>,
    pub(crate) listeners: Vec<(&'static str, Endpoint)>,
    sockets: HashMap<&'static str, Arc<Action>>,
    /// The HTTP routes; the server checks their paths.
    pub(crate) routes: Vec<Arc<Route>>,
    pub(crate) on_start: Vec<Endpoint>,
    pub(crate) on_stop: Vec<Endpoint>,
    pub(crate) schedules: Vec<Scheduled>,
    pub(crate) threads: Vec<Threaded>,
}

impl Registry {
    /// Mounts blueprints.
    ///
    /// # Errors
    ///
    /// Every mistake found: two handlers under one name, state that is missing, names that can't be.
    pub(crate) fn new(
        blueprints: Vec<Blueprint>,
        layers: &[AnyLayer],
        states: &States,
    ) -> Result<Self, Vec<String>> {
        let mut registry = Self::default();
        let mut mistakes: Vec<String> = states
            .doubled()
            .iter()
            .map(|name| {
                format!("state of type {name} was put in twice; wrap one of the two in a type of its own")
            })
            .collect();
        for route in blueprints.iter().flat_map(Blueprint::routes) {
            mistakes.extend(missing_state(&route.needs, route.source, states));
            registry.routes.push(Arc::new(route));
        }
        for endpoint in blueprints.into_iter().flat_map(Blueprint::into_endpoints) {
            mistakes.extend(missing_state(&endpoint.needs, endpoint.source, states));
            if let Err(mistake) = registry.add(endpoint.layered(layers)) {
                mistakes.push(mistake);
            }
        }
        if mistakes.is_empty() { Ok(registry) } else { Err(mistakes) }
    }

    fn add(&mut self, endpoint: Endpoint) -> Result<(), String> {
        match endpoint.reach {
            Reach::Action(name) => return self.add_action(name, endpoint),
            Reach::Listen(topic) => {
                Channel::new(topic).map_err(|error| format!("{}: {error}", endpoint.source))?;
                self.listeners.push((topic, endpoint));
            }
            Reach::Socket(kind) => return self.add_socket(kind, endpoint),
            Reach::OnStart => self.on_start.push(endpoint),
            Reach::OnStop => self.on_stop.push(endpoint),
            Reach::Background(name, schedule) => return self.add_schedule(name, schedule, endpoint),
            Reach::Thread(name, options) => return self.add_thread(name, options, endpoint),
        }
        Ok(())
    }

    fn add_schedule(
        &mut self,
        name: &'static str,
        schedule: Schedule,
        endpoint: Endpoint,
    ) -> Result<(), String> {
        let source = endpoint.source;
        check_name("schedule", name, source)?;
        if let Some(first) = self.schedules.iter().find(|other| other.name == name) {
            return Err(doubled("schedule", name, first.endpoint.source, source));
        }
        let timetable =
            schedule.timetable().map_err(|reason| format!("{source}: schedule {name:?}: {reason}"))?;
        self.schedules.push(Scheduled { name, schedule, timetable, endpoint });
        Ok(())
    }

    fn add_thread(
        &mut self,
        name: &'static str,
        options: ThreadOptions,
        endpoint: Endpoint,
    ) -> Result<(), String> {
        check_name("thread", name, endpoint.source)?;
        if let Some(first) = self.threads.iter().find(|other| other.name == name) {
            return Err(doubled("thread", name, first.endpoint.source, endpoint.source));
        }
        self.threads.push(Threaded { name, options, endpoint });
        Ok(())
    }

    fn add_action(&mut self, name: &'static str, endpoint: Endpoint) -> Result<(), String> {
        if name.is_empty() || name.starts_with('$') {
            return Err(format!(
                "{}: an action can't be called {name:?}: names are not empty, and `$` begins the framework's own",
                endpoint.source
            ));
        }
        if let Some(first) = self.actions.get(name) {
            return Err(format!(
                "two handlers answer the action {name:?}: {} and {}; give one of them another name",
                first.endpoint.source, endpoint.source
            ));
        }
        let limit = endpoint.concurrency.map(|at_once| Arc::new(Semaphore::new(at_once.max(1))));
        self.actions.insert(name, Arc::new(Action { name, endpoint, limit }));
        Ok(())
    }

    fn add_socket(&mut self, kind: &'static str, endpoint: Endpoint) -> Result<(), String> {
        if kind.is_empty() {
            return Err(format!("{}: a message's type can't be empty: give it a name", endpoint.source));
        }
        if let Some(first) = self.sockets.get(kind) {
            return Err(format!(
                "two handlers answer socket messages of type {kind:?}: {} and {}; give one of them another type",
                first.endpoint.source, endpoint.source
            ));
        }
        let limit = endpoint.concurrency.map(|at_once| Arc::new(Semaphore::new(at_once.max(1))));
        self.sockets.insert(kind, Arc::new(Action { name: kind, endpoint, limit }));
        Ok(())
    }

    /// The handler of WebSocket messages of one type.
    pub(crate) fn socket(&self, kind: &str) -> Option<&Arc<Action>> {
        self.sockets.get(kind)
    }

    /// The handler of an action.
    pub(crate) fn action(&self, name: &str) -> Option<&Arc<Action>> {
        self.actions.get(name)
    }

    /// Whether requests can reach anything here at all.
    pub(crate) fn has_actions(&self) -> bool {
        !self.actions.is_empty()
    }

    /// Which handlers run, and how many of each.
    pub(crate) fn in_flight(&self) -> impl Iterator<Item = (Source, usize)> {
        self.endpoints()
            .map(|endpoint| (endpoint.source, endpoint.in_flight.count()))
            .chain(self.routes.iter().map(|route| (route.source, route.in_flight.count())))
            .filter(|(_, count)| *count > 0)
    }

    /// Whether nothing runs but threads, which are meant to.
    #[cfg(feature = "testing")]
    pub(crate) fn is_idle(&self) -> bool {
        let is_thread = |endpoint: &Endpoint| matches!(endpoint.reach, Reach::Thread(..));
        self.endpoints().all(|endpoint| is_thread(endpoint) || endpoint.in_flight.count() == 0)
    }

    /// Everything mounted, for the start-up lines.
    pub(crate) fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        let mut actions: Vec<_> = self.actions.values().map(|action| &action.endpoint).collect();
        actions.sort_by_key(|endpoint| endpoint.reach.to_string());
        let listeners = self.listeners.iter().map(|(_, endpoint)| endpoint);
        let mut sockets: Vec<_> = self.sockets.values().map(|socket| &socket.endpoint).collect();
        sockets.sort_by_key(|endpoint| endpoint.reach.to_string());
        let schedules = self.schedules.iter().map(|scheduled| &scheduled.endpoint);
        let threads = self.threads.iter().map(|threaded| &threaded.endpoint);
        let hooks = self.on_start.iter().chain(&self.on_stop);
        actions.into_iter().chain(listeners).chain(sockets).chain(schedules).chain(threads).chain(hooks)
    }
}

/// The operating system is given a thread's name, and people type either.
fn check_name(what: &str, name: &str, source: Source) -> Result<(), String> {
    if name.is_empty() || name.contains(char::is_control) {
        return Err(format!(
            "{source}: a {what} can't be called {name:?}: names are not empty and have no control characters"
        ));
    }
    Ok(())
}

fn doubled(what: &str, name: &str, first: Source, second: Source) -> String {
    format!("two handlers are the {what} {name:?}: {first} and {second}; give one of them another name")
}

fn missing_state(needs: &Needs, source: Source, states: &States) -> Vec<String> {
    let missing = needs.iter().filter(|need| !states.has(need));
    missing.map(|need| need.missing(source)).collect()
}
