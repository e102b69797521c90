//! The validated handlers of an application, by name.

use std::collections::HashMap;
use std::sync::Arc;

use daebus_caller::wire::Channel;

use crate::blueprint::Blueprint;
use crate::blueprint::trigger::{Registration, Trigger};
use crate::error::Mistake;
use crate::handler::layer::AnyLayer;
use crate::handler::{Definition, Endpoint, IntoOutcome as _, Needs, Source, States};
use crate::http::route::Route;
use crate::tasks::{Schedule, Scheduled, ThreadOptions, Threaded};

/// The message type of the handler that runs when a WebSocket connects.
const CONNECT: &str = "connect";

/// Every handler of an application.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    actions: HashMap<&'static str, Arc<Endpoint>>,
    pub(crate) listeners: Vec<Arc<Endpoint>>,
    sockets: HashMap<&'static str, Arc<Endpoint>>,
    binary_socket: Option<Arc<Endpoint>>,
    /// Runs the layers of the application for a WebSocket that connects, if there is no `connect` handler.
    connect_guard: Option<Arc<Endpoint>>,
    /// The HTTP routes. The server validates their paths.
    pub(crate) routes: Vec<Arc<Route>>,
    pub(crate) on_start: Vec<Endpoint>,
    pub(crate) on_stop: Vec<Endpoint>,
    pub(crate) watchers: Watchers,
    pub(crate) schedules: Vec<Scheduled>,
    pub(crate) threads: Vec<Threaded>,
}

impl Registry {
    /// Mounts blueprints. Also returns all mistakes: two handlers under one name, missing states, invalid names.
    pub(crate) fn new(
        blueprints: Vec<Blueprint>,
        layers: &[AnyLayer],
        states: &States,
    ) -> (Self, Vec<Mistake>) {
        let mut registry = Self::default();
        let mut mistakes: Vec<Mistake> = states
            .doubled()
            .iter()
            .map(|name| {
                Mistake::new(format!(
                    "state of type {name} was added twice; wrap one of the two in a newtype"
                ))
            })
            .collect();
        for route in blueprints.iter().flat_map(Blueprint::routes) {
            mistakes.extend(missing_state(&route.definition.needs, route.definition.source, states));
            let layers = [route.layers, layers.to_vec()].concat();
            registry.routes.push(Arc::new(Route { definition: route.definition.mounted(), layers, ..route }));
        }
        for registration in blueprints.into_iter().flat_map(Blueprint::into_registrations) {
            let Definition { needs, source, .. } = &registration.endpoint.definition;
            mistakes.extend(missing_state(needs, *source, states));
            if let Err(mistake) = registry.add(registration.layered(layers)) {
                mistakes.push(mistake);
            }
        }
        if !layers.is_empty() && !registry.sockets.contains_key(CONNECT) {
            registry.connect_guard = Some(Arc::new(connect_guard().layered(layers)));
        }
        (registry, mistakes)
    }

    fn add(&mut self, Registration { trigger, endpoint }: Registration) -> Result<(), Mistake> {
        let mut definition = endpoint.definition;
        if matches!(trigger, Trigger::Listen(_)) {
            definition = definition.one_at_a_time();
        }
        let endpoint = Endpoint { definition: definition.mounted(), ..endpoint };
        match trigger {
            Trigger::Action(_) => return self.add_action(endpoint),
            Trigger::Listen(topic) => {
                Channel::new(topic)
                    .map_err(|error| Mistake::new(error.to_string()).at(endpoint.definition.source))?;
                self.listeners.push(Arc::new(endpoint));
            }
            Trigger::Socket(_) => return self.add_socket(endpoint),
            Trigger::SocketBinary => return self.add_binary_socket(endpoint),
            Trigger::OnStart => self.on_start.push(endpoint),
            Trigger::OnStop => self.on_stop.push(endpoint),
            Trigger::MemberJoined => self.watchers.member_joined.push(endpoint),
            Trigger::MemberLeft => self.watchers.member_left.push(endpoint),
            Trigger::BusConnected => self.watchers.bus_connected.push(endpoint),
            Trigger::BusDisconnected => self.watchers.bus_disconnected.push(endpoint),
            Trigger::Background(_, schedule) => return self.add_schedule(schedule, endpoint),
            Trigger::Thread(_, options) => return self.add_thread(options, endpoint),
        }
        Ok(())
    }

    fn add_schedule(&mut self, schedule: Schedule, endpoint: Endpoint) -> Result<(), Mistake> {
        let Definition { name, source, .. } = endpoint.definition;
        check_name("schedule", name, source)?;
        if let Some(first) = self.schedules.iter().find(|other| other.endpoint.definition.name == name) {
            return Err(doubled("schedule", name, first.endpoint.definition.source, source));
        }
        let timetable = schedule
            .timetable()
            .map_err(|mistake| Mistake::new(format!("schedule {name:?}: {mistake}")).at(source))?;
        self.schedules.push(Scheduled { schedule, timetable, endpoint });
        Ok(())
    }

    fn add_thread(&mut self, options: ThreadOptions, endpoint: Endpoint) -> Result<(), Mistake> {
        let name = endpoint.definition.name;
        check_name("thread", name, endpoint.definition.source)?;
        if let Some(first) = self.threads.iter().find(|other| other.endpoint.definition.name == name) {
            return Err(doubled(
                "thread",
                name,
                first.endpoint.definition.source,
                endpoint.definition.source,
            ));
        }
        self.threads.push(Threaded { options, endpoint });
        Ok(())
    }

    fn add_action(&mut self, endpoint: Endpoint) -> Result<(), Mistake> {
        let name = endpoint.definition.name;
        if name.is_empty() || name.starts_with('$') {
            return Err(Mistake::new(format!(
                "an action can't be called {name:?}: a name must not be empty or begin with `$`, which is reserved"
            ))
            .at(endpoint.definition.source));
        }
        if let Some(first) = self.actions.get(name) {
            return Err(Mistake::new(format!(
                "two handlers answer the action {name:?}: {} and {}; give one of them another name",
                first.definition.source, endpoint.definition.source
            )));
        }
        self.actions.insert(name, Arc::new(endpoint));
        Ok(())
    }

    fn add_socket(&mut self, endpoint: Endpoint) -> Result<(), Mistake> {
        let kind = endpoint.definition.name;
        if kind.is_empty() {
            return Err(
                Mistake::new("the type of a socket message must not be empty").at(endpoint.definition.source)
            );
        }
        if let Some(first) = self.sockets.get(kind) {
            return Err(Mistake::new(format!(
                "two handlers answer socket messages of type {kind:?}: {} and {}; give one of them another type",
                first.definition.source, endpoint.definition.source
            )));
        }
        self.sockets.insert(kind, Arc::new(endpoint));
        Ok(())
    }

    fn add_binary_socket(&mut self, endpoint: Endpoint) -> Result<(), Mistake> {
        if let Some(first) = &self.binary_socket {
            return Err(Mistake::new(format!(
                "two handlers answer binary frames: {} and {}; remove one of them",
                first.definition.source, endpoint.definition.source
            )));
        }
        self.binary_socket = Some(Arc::new(endpoint));
        Ok(())
    }

    pub(crate) fn binary_socket(&self) -> Option<&Arc<Endpoint>> {
        self.binary_socket.as_ref()
    }

    /// Returns the handler of WebSocket messages of this type.
    pub(crate) fn socket(&self, kind: &str) -> Option<&Arc<Endpoint>> {
        self.sockets.get(kind)
    }

    /// Returns the handler of connecting WebSockets. Without one, the layers of the application can still reject them.
    pub(crate) fn connect(&self) -> Option<&Arc<Endpoint>> {
        self.socket(CONNECT).or(self.connect_guard.as_ref())
    }

    pub(crate) fn action(&self, name: &str) -> Option<&Arc<Endpoint>> {
        self.actions.get(name)
    }

    /// Returns the names of the actions, sorted.
    pub(crate) fn action_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.actions.keys().map(ToString::to_string).collect();
        names.sort();
        names
    }

    /// Returns all handlers with the kind and the name under which reports list them.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&'static str, String, &Definition)> {
        let endpoints = self.endpoints().map(|(trigger, endpoint)| {
            let definition = &endpoint.definition;
            (trigger.kind(), definition.name.to_owned(), definition)
        });
        let routes = self.routes.iter().map(|route| {
            let name = format!("{} {}", route.methods.join(", "), route.path());
            ("route", name, &route.definition)
        });
        endpoints.chain(routes)
    }

    /// Returns the running handlers, with the number of runs of each.
    pub(crate) fn in_flight(&self) -> impl Iterator<Item = (Source, usize)> {
        self.endpoints()
            .map(|(_, endpoint)| (endpoint.definition.source, endpoint.definition.in_flight.count()))
            .chain(
                self.routes.iter().map(|route| (route.definition.source, route.definition.in_flight.count())),
            )
            .filter(|(_, count)| *count > 0)
    }

    /// Returns whether no handler is running. Threads, which run permanently, and routes, whose clients wait, are ignored.
    #[cfg(feature = "testing")]
    pub(crate) fn is_idle(&self) -> bool {
        self.endpoints().all(|(trigger, endpoint)| {
            matches!(trigger, Trigger::Thread(..)) || endpoint.definition.in_flight.count() == 0
        })
    }

    /// Returns all endpoints except routes, each with its trigger.
    pub(crate) fn endpoints(&self) -> impl Iterator<Item = (Trigger, &Endpoint)> {
        let mut actions: Vec<_> = self.actions.values().collect();
        actions.sort_by_key(|action| action.definition.name);
        let actions = actions.into_iter().map(|action| (Trigger::Action(action.definition.name), &**action));
        let listeners =
            self.listeners.iter().map(|listener| (Trigger::Listen(listener.definition.name), &**listener));
        let mut sockets: Vec<_> = self.sockets.values().collect();
        sockets.sort_by_key(|socket| socket.definition.name);
        let sockets = sockets.into_iter().map(|socket| (Trigger::Socket(socket.definition.name), &**socket));
        let sockets =
            sockets.chain(self.binary_socket.iter().map(|socket| (Trigger::SocketBinary, &**socket)));
        let schedules = self
            .schedules
            .iter()
            .map(|s| (Trigger::Background(s.endpoint.definition.name, s.schedule.clone()), &s.endpoint));
        let threads = self
            .threads
            .iter()
            .map(|t| (Trigger::Thread(t.endpoint.definition.name, t.options), &t.endpoint));
        let on_start = self.on_start.iter().map(|endpoint| (Trigger::OnStart, endpoint));
        let on_stop = self.on_stop.iter().map(|endpoint| (Trigger::OnStop, endpoint));
        let watchers = self.watchers.endpoints();
        let rest = schedules.chain(threads).chain(on_start).chain(on_stop).chain(watchers);
        actions.chain(listeners).chain(sockets).chain(rest)
    }
}

/// The hooks for membership and for the connection to the bus.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    pub(crate) member_joined: Vec<Endpoint>,
    pub(crate) member_left: Vec<Endpoint>,
    pub(crate) bus_connected: Vec<Endpoint>,
    pub(crate) bus_disconnected: Vec<Endpoint>,
}

impl Watchers {
    pub(crate) fn is_empty(&self) -> bool {
        self.endpoints().next().is_none()
    }

    fn endpoints(&self) -> impl Iterator<Item = (Trigger, &Endpoint)> {
        let all = [
            (Trigger::MemberJoined, &self.member_joined),
            (Trigger::MemberLeft, &self.member_left),
            (Trigger::BusConnected, &self.bus_connected),
            (Trigger::BusDisconnected, &self.bus_disconnected),
        ];
        all.into_iter().flat_map(|(trigger, hooks)| hooks.iter().map(move |hook| (trigger.clone(), hook)))
    }
}

/// Returns a `connect` handler that does nothing, for layers around it.
fn connect_guard() -> Endpoint {
    let source = Source::new(CONNECT, module_path!(), file!(), line!());
    Endpoint::new(Definition::new(source, Needs::default()).mounted(), async |_| ().into_outcome())
}

/// Validates the name of a schedule or a thread. The operating system receives the name of a thread.
fn check_name(what: &str, name: &str, source: Source) -> Result<(), Mistake> {
    if name.is_empty() || name.contains(char::is_control) {
        return Err(Mistake::new(format!(
            "a {what} can't be called {name:?}: a name must not be empty or contain control characters"
        ))
        .at(source));
    }
    Ok(())
}

fn doubled(what: &str, name: &str, first: Source, second: Source) -> Mistake {
    Mistake::new(format!(
        "two handlers have the {what} name {name:?}: {first} and {second}; give one of them another name"
    ))
}

fn missing_state(needs: &Needs, source: Source, states: &States) -> Vec<Mistake> {
    let missing = needs.iter().filter(|need| !states.has(need));
    missing.map(|need| need.missing(source)).collect()
}
