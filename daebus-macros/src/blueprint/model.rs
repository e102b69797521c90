//! A blueprint, checked.

use syn::{Ident, LitStr, Path};

use super::parse::Module;
use super::scope::Taken;
use crate::endpoint::Handler;
use crate::stub::Method;

/// A module with its handlers.
pub(super) struct Blueprint {
    pub(super) name: LitStr,
    /// The trait whose actions have to be here.
    pub(super) contract: Option<Path>,
    pub(super) module: Module,
    pub(super) handlers: Vec<Handler>,
    /// Whether nothing is wrong with any of them; what is, is reported by their own attributes.
    pub(super) handlers_are_sound: bool,
    /// The caller's methods, and which handler each comes from.
    pub(super) methods: Vec<(usize, Method)>,
    /// Handlers that stay plain functions, since their struct would hide something. This has been reported.
    pub(super) shadowing: Vec<Ident>,
    /// Which of the names that the attribute adds are taken, which has been reported.
    pub(super) taken: Taken,
}

impl Blueprint {
    /// The functions to mount, with what their `cfg`s need.
    pub(super) fn mounted(&self) -> impl Iterator<Item = (&Handler, &Ident)> {
        self.handlers
            .iter()
            .filter(|handler| handler.has_struct)
            .map(|handler| (handler, &handler.function.sig.ident))
    }
}
