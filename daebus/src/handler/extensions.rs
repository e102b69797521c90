//! Values that a layer hands on to the handler it wraps.

use std::any::{Any, TypeId};
use std::fmt;

/// One value a type, put in by a layer and taken out by an extractor.
#[derive(Default)]
pub struct Extensions(Vec<(TypeId, Box<dyn Any + Send + Sync>)>);

impl Extensions {
    /// Puts a value in; one of the same type that was there is replaced.
    pub fn insert<T: Send + Sync + 'static>(&mut self, value: T) {
        let (id, value) = (TypeId::of::<T>(), Box::new(value));
        // A handler has a few of them, which a search finds faster than a hash.
        match self.0.iter_mut().find(|(other, _)| *other == id) {
            Some((_, before)) => *before = value,
            None => self.0.push((id, value)),
        }
    }

    /// The value of this type.
    pub fn get<T: 'static>(&self) -> Option<&T> {
        let id = TypeId::of::<T>();
        self.0.iter().find_map(|(other, value)| (*other == id).then_some(value))?.downcast_ref()
    }
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Extensions({})", self.0.len())
    }
}
