//! What an application puts in with `.state(T)` and handlers take out as `State<T>`.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::sync::Arc;

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

/// A type of state that a handler takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Need {
    id: TypeId,
    pub(crate) type_name: &'static str,
}

/// What a handler needs before it can run; checked when the service starts.
#[derive(Debug, Clone, Default)]
pub struct Needs(Vec<Need>);

impl Needs {
    /// Asks for a `.state(T)`.
    pub fn state<T: 'static>(&mut self) {
        self.0.push(Need { id: TypeId::of::<T>(), type_name: type_name::<T>() });
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Need> {
        self.0.iter()
    }
}
