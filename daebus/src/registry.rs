//! Every handler of an application, checked and found by name.

use std::collections::HashMap;
use std::sync::Arc;

use daebus_caller::wire::Channel;
use tokio::sync::Semaphore;

use crate::blueprint::Blueprint;
use crate::endpoint::{Endpoint, Reach, Source};
use crate::layer::AnyLayer;
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
        }
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

    /// Everything mounted, for the start-up lines.
    pub(crate) fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        let mut actions: Vec<_> = self.actions.values().map(|action| &action.endpoint).collect();
        actions.sort_by_key(|endpoint| endpoint.reach.to_string());
        let listeners = self.listeners.iter().map(|(_, endpoint)| endpoint);
        let mut sockets: Vec<_> = self.sockets.values().map(|socket| &socket.endpoint).collect();
        sockets.sort_by_key(|endpoint| endpoint.reach.to_string());
        actions.into_iter().chain(listeners).chain(sockets).chain(&self.on_start).chain(&self.on_stop)
    }
}

fn missing_state(needs: &Needs, source: Source, states: &States) -> Vec<String> {
    let missing = needs.iter().filter(|need| !states.has(need));
    missing.map(|need| need.missing(source)).collect()
}
