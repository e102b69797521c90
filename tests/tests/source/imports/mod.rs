//! Which file of a crate imports what from which other file.
//!
//! `read` parses the files into modules, `resolve` finds the file that defines what a path names, `cycles` finds files
//! that import each other. What counts as an import:
//!
//! - a path in the code or in a private `use` that names an item of another file, whichever re-exports it goes through;
//! - a re-export of an item from outside the module: `pub use super::sibling::Item`.
//!
//! `mod child;` and `pub use child::Item` are no imports, or every parent would be in a cycle with its children. A child
//! that imports an item defined in its parent's file is in a cycle if the code of that file uses the child. Test modules
//! and generated code (`quote!`) are left out. So are methods and fields: they are named without a path.

mod cycles;
mod read;
mod resolve;
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

pub(crate) use read::is_test;

/// The imports of a crate, by the importing and the defining file, with the imported names.
pub(crate) type Graph = BTreeMap<PathBuf, BTreeMap<PathBuf, BTreeSet<String>>>;

/// The imports of a crate.
#[derive(Debug, Default)]
pub(crate) struct Imports {
    /// Between files, each to the file that defines the item. Cycles count here.
    pub(crate) files: Graph,
    /// The same with re-exports, and with the files that an item is re-exported from on its way. Layers count here.
    pub(crate) all: Graph,
}

impl Imports {
    /// Reads the crate whose root is in `src`.
    pub(crate) fn of(src: &Path) -> Self {
        let krate = read::Crate::of(src);
        let mut imports = Self::default();
        for (path, module) in &krate.modules {
            let note = |graph: &mut Graph, target: &Path, name: &str| {
                if target != module.file {
                    let targets = graph.entry(module.file.clone()).or_default();
                    targets.entry(target.to_owned()).or_default().insert(name.to_owned());
                }
            };
            for mention in &module.mentions {
                let resolved = krate.resolve(path, &mention.path);
                for through in &resolved.through {
                    note(&mut imports.all, through, &mention.path.join("::"));
                }
                let Some(item) = resolved.item else { continue };
                note(&mut imports.all, &item.file, &item.name);
                if !(mention.is_reexport && item.module.starts_with(path)) {
                    note(&mut imports.files, &item.file, &item.name);
                }
            }
        }
        imports
    }

    /// The cycles between files: for each import that is part of one, the shortest.
    pub(crate) fn cycles(&self) -> Vec<String> {
        cycles::of(&self.files)
    }
}
