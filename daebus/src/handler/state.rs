//! What an application puts in with `.state(T)` and handlers take out as `State<T>`.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::sync::Arc;

use crate::error::Mistake;

/// The application's state, one value a type.
#[derive(Debug, Clone, Default)]
pub(crate) struct States {
    values: HashMap<TypeId, Arc<dyn Any + Send + Sync>>,
    doubled: Vec<&'static str>,
}

impl States {
    pub(crate) fn insert<T: Send + Sync + 'static>(&mut self, value: T) {
        if self.values.insert(TypeId::of::<T>(), Arc::new(value)).is_some() {
            self.doubled.push(type_name::<T>());
        }
    }

    /// WebSockets are attached, and these are their clients.
    pub(crate) fn attach_web_socket<T: Send + Sync + 'static>(&mut self, sockets: T) {
        self.insert(WebSocketAttached);
        self.insert(sockets);
    }

    pub(crate) fn get<T: 'static>(&self) -> Option<&T> {
        self.values.get(&TypeId::of::<T>())?.downcast_ref()
    }

    pub(crate) fn has(&self, need: &Need) -> bool {
        self.values.contains_key(&need.id)
    }

    /// Types that were put in twice, of which one value is lost.
    pub(crate) fn doubled(&self) -> &[&'static str] {
        &self.doubled
    }
}

/// Stands in [`States`] where WebSockets are attached.
struct WebSocketAttached;

/// A type of state that a handler takes, or what has to be attached for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Need {
    id: TypeId,
    type_name: &'static str,
}

impl Need {
    /// Returns the mistake of a handler whose need isn't met.
    pub(crate) fn missing(&self, handler: impl std::fmt::Display) -> Mistake {
        let message = if self.id == TypeId::of::<WebSocketAttached>() {
            "WebSockets are not attached: add .attach(WebSocket::new()) to the app".to_owned()
        } else {
            let name = self.type_name;
            format!("State<{name}> is missing: add .state(…) with a {name} to the app")
        };
        Mistake::new(message).at(handler)
    }
}

/// What a handler needs before it can run; checked when the service starts.
#[derive(Debug, Clone, Default)]
pub struct Needs {
    values: Vec<Need>,
    session: bool,
}

impl Needs {
    /// Adds the need for a `.state(T)`.
    pub fn state<T: 'static>(&mut self) {
        self.add(TypeId::of::<T>(), type_name::<T>());
    }

    /// Adds the need for an attached [`WebSocket`](crate::WebSocket).
    pub fn web_socket(&mut self) {
        self.add(TypeId::of::<WebSocketAttached>(), "WebSocket");
    }

    /// Adds the need for a request that opens a session.
    pub fn session(&mut self) {
        self.session = true;
    }

    pub(crate) fn has_session(&self) -> bool {
        self.session
    }

    /// Keeps each need once, so that each is one mistake if it isn't met.
    fn add(&mut self, id: TypeId, type_name: &'static str) {
        if self.values.iter().all(|need| need.id != id) {
            self.values.push(Need { id, type_name });
        }
    }

    #[cfg(feature = "testing")]
    pub(crate) fn has_web_socket(&self) -> bool {
        self.values.iter().any(|need| need.id == TypeId::of::<WebSocketAttached>())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Need> {
        self.values.iter()
    }
}
