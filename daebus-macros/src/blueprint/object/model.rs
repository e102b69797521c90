//! The blueprint of a type, checked.

use syn::{Ident, LitStr, Path};

use super::parse::Object;
use crate::endpoint::Handler;
use crate::stub::Method;

/// A type with its handlers.
pub(super) struct ObjectBlueprint {
    pub(super) name: LitStr,
    /// The trait whose actions have to be here.
    pub(super) contract: Option<Path>,
    pub(super) object: Object,
    /// The name of the type.
    pub(super) ident: Ident,
    /// The methods, without `self` and with the type's name in place of `Self`.
    pub(super) handlers: Vec<Handler>,
    /// The caller's methods, and which handler each comes from.
    pub(super) methods: Vec<(usize, Method)>,
    /// Whether there is a typed caller.
    pub(super) has_caller: bool,
    /// Whether the `impl` has a function `blueprint` of its own, which has been reported.
    pub(super) has_constructor: bool,
}
