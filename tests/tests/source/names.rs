//! One name means one thing: a type's name is used once per crate.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use daebus_tests::workspace;
use syn::visit::{self, Visit};
use syn::{Ident, ItemEnum, ItemMod, ItemStruct, ItemTrait, ItemType};

use crate::imports::is_test;
use crate::structure::{CRATES, rust_files};

/// Files whose types have the names of what they stand for: the markers of the kinds of handlers, and the callers that
/// block, each beside the caller that doesn't.
const EXCEPTIONS: [&str; 2] = ["handler/kind.rs", "blocking"];

/// The types of one file.
#[derive(Default)]
struct Types(BTreeSet<String>);

impl Types {
    fn add(&mut self, name: &Ident) {
        self.0.insert(name.to_string());
    }
}

impl<'ast> Visit<'ast> for Types {
    fn visit_item_struct(&mut self, item: &'ast ItemStruct) {
        self.add(&item.ident);
        visit::visit_item_struct(self, item);
    }

    fn visit_item_enum(&mut self, item: &'ast ItemEnum) {
        self.add(&item.ident);
        visit::visit_item_enum(self, item);
    }

    fn visit_item_trait(&mut self, item: &'ast ItemTrait) {
        self.add(&item.ident);
        visit::visit_item_trait(self, item);
    }

    fn visit_item_type(&mut self, item: &'ast ItemType) {
        self.add(&item.ident);
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }
}

/// Which files have a type of each name.
fn files_of_types(src: &Path) -> BTreeMap<String, Vec<PathBuf>> {
    let mut files: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for path in rust_files(src) {
        let file = path.strip_prefix(src).unwrap().to_owned();
        if EXCEPTIONS.iter().any(|exception| file.starts_with(exception)) {
            continue;
        }
        let mut types = Types::default();
        types.visit_file(&syn::parse_file(&fs::read_to_string(&path).unwrap()).unwrap());
        for name in types.0 {
            files.entry(name).or_default().push(file.clone());
        }
    }
    files
}

#[test]
fn no_two_types_of_a_crate_have_one_name() {
    let mut mistakes = Vec::new();
    for name in CRATES {
        let types = files_of_types(&workspace().join(name).join("src"));
        assert!(types.len() > 20, "{name}: only {} types were found", types.len());
        let shared = types.into_iter().filter(|(_, files)| files.len() > 1);
        mistakes.extend(shared.map(|(shared, files)| format!("{name}: {shared} is in {files:?}")));
    }
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}
