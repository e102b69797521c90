//! The file that defines what a path names.

use std::path::PathBuf;

use super::read::{Crate, Definition, Module};

/// What a path names.
#[derive(Default)]
pub(crate) struct Resolved {
    /// The item; `None` for a module, and for what another crate or the function itself defines.
    pub(crate) item: Option<Found>,
    /// The files that re-export it on the way.
    pub(crate) through: Vec<PathBuf>,
}

pub(crate) struct Found {
    pub(crate) file: PathBuf,
    pub(crate) module: Vec<String>,
    pub(crate) name: String,
}

impl Crate {
    /// Finds what `path` names in the code of `module`.
    pub(crate) fn resolve(&self, module: &[String], path: &[String]) -> Resolved {
        let mut search = Search { krate: self, through: Vec::new(), looked_up: Vec::new() };
        let item = search.path(module, path);
        Resolved { item, through: search.through }
    }
}

struct Search<'a> {
    krate: &'a Crate,
    through: Vec<PathBuf>,
    /// Where each name was looked up, so that imports in a circle end.
    looked_up: Vec<(Vec<String>, Vec<String>)>,
}

impl Search<'_> {
    /// A path as it is written in a module.
    fn path(&mut self, module: &[String], path: &[String]) -> Option<Found> {
        let (module, rest) = anchored(module, path)?;
        self.within(&module, rest)
    }

    /// The rest of a path within the module that it has led to.
    fn within(&mut self, at: &[String], path: &[String]) -> Option<Found> {
        let (name, rest) = path.split_first()?;
        let place = (at.to_vec(), path.to_vec());
        if self.looked_up.contains(&place) || self.looked_up.len() > 100 {
            return None;
        }
        self.looked_up.push(place);
        let krate = self.krate;
        let module = krate.modules.get(at)?;
        let definitions = module.names.get(name).map(Vec::as_slice).unwrap_or_default();
        definitions
            .iter()
            .find_map(|definition| self.definition(at, module, definition, (name, rest)))
            .or_else(|| self.globs(at, module, path))
    }

    fn definition(
        &mut self,
        at: &[String],
        module: &Module,
        definition: &Definition,
        (name, rest): (&String, &[String]),
    ) -> Option<Found> {
        match definition {
            Definition::Item => {
                Some(Found { file: module.file.clone(), module: at.to_vec(), name: name.clone() })
            }
            Definition::Module => self.within(&[at, std::slice::from_ref(name)].concat(), rest),
            // `use name::name` imports from a module or a crate, not from itself.
            Definition::Use(target) if target[0] == *name => {
                let is_module = |definition: &Definition| matches!(definition, Definition::Module);
                let is_child = module.names[name].iter().any(is_module);
                let child = [at, std::slice::from_ref(name)].concat();
                is_child.then(|| self.within(&child, &[&target[1..], rest].concat())).flatten()
            }
            Definition::Use(target) => {
                self.through.push(module.file.clone());
                self.path(at, &[target, rest].concat())
            }
        }
    }

    fn globs(&mut self, at: &[String], module: &Module, path: &[String]) -> Option<Found> {
        module.globs.iter().find_map(|glob| {
            let other = self.module(at, glob, 0)?;
            let through = self.through.len();
            self.through.push(module.file.clone());
            let found = self.within(&other, path);
            if found.is_none() {
                // A glob without the name isn't on its way.
                self.through.truncate(through);
            }
            found
        })
    }

    /// The module that a path names, if it is one of this crate.
    fn module(&self, at: &[String], path: &[String], depth: usize) -> Option<Vec<String>> {
        let (mut at, rest) = anchored(at, path)?;
        for name in rest {
            let definitions = self.krate.modules.get(&at)?.names.get(name)?;
            at = definitions.iter().find_map(|definition| match definition {
                Definition::Module => Some([&at[..], std::slice::from_ref(name)].concat()),
                // Imports in a circle end.
                Definition::Use(target) if depth < 8 => self.module(&at, target, depth + 1),
                Definition::Use(_) | Definition::Item => None,
            })?;
        }
        Some(at)
    }
}

/// The module that a path starts from, and the rest of the path. `None` for `Self`.
fn anchored<'a>(module: &[String], path: &'a [String]) -> Option<(Vec<String>, &'a [String])> {
    let mut rest = path;
    let mut at = module.to_vec();
    while let Some((first, others)) = rest.split_first() {
        match first.as_str() {
            "crate" => at.clear(),
            "self" => {}
            "super" => {
                at.pop()?;
            }
            "Self" => return None,
            _ => break,
        }
        rest = others;
    }
    Some((at, rest))
}
