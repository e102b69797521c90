//! Every handler of an application, checked and found by name.

use std::collections::HashMap;
use std::sync::Arc;

use daebus_caller::wire::Channel;

use crate::blueprint::Blueprint;
use crate::blueprint::trigger::{Registration, Trigger};
use crate::error::Mistake;
use crate::handler::layer::AnyLayer;
use crate::handler::{Endpoint, Needs, Source, States};
use crate::http::route::Route;
use crate::tasks::{Schedule, Scheduled, ThreadOptions, Threaded};

/// Every handler of an application.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    actions: HashMap<&'static str, Arc<Endpoint>>,
    pub(crate) listeners: Vec<Arc<Endpoint>>,
    sockets: HashMap<&'static str, Arc<Endpoint>>,
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
    ) -> Result<Self, Vec<Mistake>> {
        let mut registry = Self::default();
        let mut mistakes: Vec<Mistake> = states
            .doubled()
            .iter()
            .map(|name| {
                Mistake::new(format!(
                    "state of type {name} was put in twice; wrap one of the two in a type of its own"
                ))
            })
            .collect();
        for route in blueprints.iter().flat_map(Blueprint::routes) {
            mistakes.extend(missing_state(&route.needs, route.source, states));
            registry.routes.push(Arc::new(route));
        }
        for registration in blueprints.into_iter().flat_map(Blueprint::into_registrations) {
            let Endpoint { needs, source, .. } = &registration.endpoint;
            mistakes.extend(missing_state(needs, *source, states));
            if let Err(mistake) = registry.add(registration.layered(layers)) {
                mistakes.push(mistake);
            }
        }
        if mistakes.is_empty() { Ok(registry) } else { Err(mistakes) }
    }

    fn add(&mut self, Registration { trigger, endpoint }: Registration) -> Result<(), Mistake> {
        let endpoint = endpoint.mounted();
        match trigger {
            Trigger::Action(_) => return self.add_action(endpoint),
            Trigger::Listen(topic) => {
                Channel::new(topic).map_err(|error| Mistake::new(error.to_string()).at(endpoint.source))?;
                self.listeners.push(Arc::new(endpoint));
            }
            Trigger::Socket(_) => return self.add_socket(endpoint),
            Trigger::OnStart => self.on_start.push(endpoint),
            Trigger::OnStop => self.on_stop.push(endpoint),
            Trigger::Background(_, schedule) => return self.add_schedule(schedule, endpoint),
            Trigger::Thread(_, options) => return self.add_thread(options, endpoint),
        }
        Ok(())
    }

    fn add_schedule(&mut self, schedule: Schedule, endpoint: Endpoint) -> Result<(), Mistake> {
        let Endpoint { name, source, .. } = endpoint;
        check_name("schedule", name, source)?;
        if let Some(first) = self.schedules.iter().find(|other| other.endpoint.name == name) {
            return Err(doubled("schedule", name, first.endpoint.source, source));
        }
        let timetable = schedule
            .timetable()
            .map_err(|mistake| Mistake::new(format!("schedule {name:?}: {mistake}")).at(source))?;
        self.schedules.push(Scheduled { schedule, timetable, endpoint });
        Ok(())
    }

    fn add_thread(&mut self, options: ThreadOptions, endpoint: Endpoint) -> Result<(), Mistake> {
        let name = endpoint.name;
        check_name("thread", name, endpoint.source)?;
        if let Some(first) = self.threads.iter().find(|other| other.endpoint.name == name) {
            return Err(doubled("thread", name, first.endpoint.source, endpoint.source));
        }
        self.threads.push(Threaded { options, endpoint });
        Ok(())
    }

    fn add_action(&mut self, endpoint: Endpoint) -> Result<(), Mistake> {
        let name = endpoint.name;
        if name.is_empty() || name.starts_with('$') {
            return Err(Mistake::new(format!(
                "an action can't be called {name:?}: names are not empty, and `$` begins the framework's own"
            ))
            .at(endpoint.source));
        }
        if let Some(first) = self.actions.get(name) {
            return Err(Mistake::new(format!(
                "two handlers answer the action {name:?}: {} and {}; give one of them another name",
                first.source, endpoint.source
            )));
        }
        self.actions.insert(name, Arc::new(endpoint));
        Ok(())
    }

    fn add_socket(&mut self, endpoint: Endpoint) -> Result<(), Mistake> {
        let kind = endpoint.name;
        if kind.is_empty() {
            return Err(Mistake::new("a message's type can't be empty: give it a name").at(endpoint.source));
        }
        if let Some(first) = self.sockets.get(kind) {
            return Err(Mistake::new(format!(
                "two handlers answer socket messages of type {kind:?}: {} and {}; give one of them another type",
                first.source, endpoint.source
            )));
        }
        self.sockets.insert(kind, Arc::new(endpoint));
        Ok(())
    }

    /// The handler of WebSocket messages of one type.
    pub(crate) fn socket(&self, kind: &str) -> Option<&Arc<Endpoint>> {
        self.sockets.get(kind)
    }

    /// The handler of an action.
    pub(crate) fn action(&self, name: &str) -> Option<&Arc<Endpoint>> {
        self.actions.get(name)
    }

    /// Whether requests can reach anything here at all.
    pub(crate) fn has_actions(&self) -> bool {
        !self.actions.is_empty()
    }

    /// Which handlers run, and how many of each.
    pub(crate) fn in_flight(&self) -> impl Iterator<Item = (Source, usize)> {
        self.endpoints()
            .map(|(_, endpoint)| (endpoint.source, endpoint.in_flight.count()))
            .chain(self.routes.iter().map(|route| (route.source, route.in_flight.count())))
            .filter(|(_, count)| *count > 0)
    }

    /// Whether nothing runs but threads, which are meant to.
    #[cfg(feature = "testing")]
    pub(crate) fn is_idle(&self) -> bool {
        let threads: Vec<Source> = self.threads.iter().map(|thread| thread.endpoint.source).collect();
        self.in_flight().all(|(source, _)| threads.contains(&source))
    }

    /// Everything mounted on the bus, the clock and the service's life, with what triggers it.
    pub(crate) fn endpoints(&self) -> impl Iterator<Item = (Trigger, &Endpoint)> {
        let mut actions: Vec<_> = self.actions.values().collect();
        actions.sort_by_key(|action| action.name);
        let actions = actions.into_iter().map(|action| (Trigger::Action(action.name), &**action));
        let listeners = self.listeners.iter().map(|listener| (Trigger::Listen(listener.name), &**listener));
        let mut sockets: Vec<_> = self.sockets.values().collect();
        sockets.sort_by_key(|socket| socket.name);
        let sockets = sockets.into_iter().map(|socket| (Trigger::Socket(socket.name), &**socket));
        let schedules =
            self.schedules.iter().map(|s| (Trigger::Background(s.endpoint.name, s.schedule), &s.endpoint));
        let threads = self.threads.iter().map(|t| (Trigger::Thread(t.endpoint.name, t.options), &t.endpoint));
        let on_start = self.on_start.iter().map(|endpoint| (Trigger::OnStart, endpoint));
        let on_stop = self.on_stop.iter().map(|endpoint| (Trigger::OnStop, endpoint));
        actions.chain(listeners).chain(sockets).chain(schedules).chain(threads).chain(on_start).chain(on_stop)
    }
}

/// The operating system is given a thread's name, and people type either.
fn check_name(what: &str, name: &str, source: Source) -> Result<(), Mistake> {
    if name.is_empty() || name.contains(char::is_control) {
        return Err(Mistake::new(format!(
            "a {what} can't be called {name:?}: names are not empty and have no control characters"
        ))
        .at(source));
    }
    Ok(())
}

fn doubled(what: &str, name: &str, first: Source, second: Source) -> Mistake {
    Mistake::new(format!(
        "two handlers are the {what} {name:?}: {first} and {second}; give one of them another name"
    ))
}

fn missing_state(needs: &Needs, source: Source, states: &States) -> Vec<Mistake> {
    let missing = needs.iter().filter(|need| !states.has(need));
    missing.map(|need| need.missing(source)).collect()
}
