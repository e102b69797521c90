//! Which module a handler is written in, as far as generated code can find out.
//!
//! `#[blueprint]` collects the handlers that it sees in its module. It does not see those that a macro call in the module
//! produces. Such a handler finds out by method resolution: `HandlerPlace.daebus_place()` is the method of the trait that the blueprint
//! adds to its module, if there is one in scope, else that of [`OutsideOfBlueprints`].

/// What a handler asks for the blueprint around it.
#[derive(Debug, Clone, Copy)]
pub struct HandlerPlace;

/// The answer outside of blueprints: it takes a reference, so any method `daebus_place(self)` in scope takes precedence.
pub trait OutsideOfBlueprints {
    /// Returns that there is no blueprint.
    fn daebus_place(&self) -> NoBlueprint {
        NoBlueprint
    }
}

impl OutsideOfBlueprints for HandlerPlace {}

/// No blueprint.
#[derive(Debug)]
pub struct NoBlueprint;

/// The module of a blueprint.
pub trait BlueprintPath {
    /// Its path; empty for no blueprint.
    const PATH: &'static str;
}

impl BlueprintPath for NoBlueprint {
    const PATH: &'static str = "";
}

/// Returns whether the blueprint that `place` returns is the module `path`. The trait is in scope in an inner module with
/// `use super::*` too, where handlers may be collected in another way.
pub const fn stands_in<B: BlueprintPath>(_: fn() -> B, path: &str) -> bool {
    let (blueprint, path) = (B::PATH.as_bytes(), path.as_bytes());
    if blueprint.len() != path.len() {
        return false;
    }
    let mut at = 0;
    while at < path.len() {
        if blueprint[at] != path[at] {
            return false;
        }
        at += 1;
    }
    true
}
