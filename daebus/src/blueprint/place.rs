//! Detects whether a handler is written in the module of a blueprint.
//!
//! `#[blueprint]` collects the handlers in the tokens of its module, which exclude those that a macro call in the module
//! produces. Such a handler is detected by method resolution: `HandlerPlace.daebus_place()` resolves to the trait that the
//! blueprint adds to its module, if that trait is in scope, and to [`OutsideOfBlueprints`] otherwise.

/// The receiver of `daebus_place()`, which returns the blueprint around a handler.
#[derive(Debug, Clone, Copy)]
pub struct HandlerPlace;

/// The fallback outside of blueprints. It takes a reference, so that any method `daebus_place(self)` in scope takes precedence.
pub trait OutsideOfBlueprints {
    /// Returns the absence of a blueprint.
    fn daebus_place(&self) -> NoBlueprint {
        NoBlueprint
    }
}

impl OutsideOfBlueprints for HandlerPlace {}

/// The absence of a blueprint.
#[derive(Debug)]
pub struct NoBlueprint;

/// The module of a blueprint.
pub trait BlueprintPath {
    /// The path of the module. Empty if there is no blueprint.
    const PATH: &'static str;
}

impl BlueprintPath for NoBlueprint {
    const PATH: &'static str = "";
}

/// Returns whether the blueprint that `place` returns is the module `path`. In an inner module with `use super::*` the trait is
/// in scope as well, but handlers there may be collected in another way.
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
