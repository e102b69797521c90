//! The modules of a crate, and every path that their code mentions.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, UseTree};

/// Macros whose tokens are the code of another crate.
const GENERATING: [&str; 4] = ["quote", "quote_spanned", "parse_quote", "parse_quote_spanned"];

pub(crate) struct Crate {
    pub(crate) modules: BTreeMap<Vec<String>, Module>,
}

#[derive(Default)]
pub(crate) struct Module {
    pub(crate) file: PathBuf,
    pub(crate) names: HashMap<String, Vec<Definition>>,
    /// What a `use …::*` imports from.
    pub(crate) globs: Vec<Vec<String>>,
    pub(crate) mentions: Vec<Mention>,
}

pub(crate) enum Definition {
    Item,
    Module,
    Use(Vec<String>),
}

pub(crate) struct Mention {
    pub(crate) path: Vec<String>,
    pub(crate) is_reexport: bool,
}

impl Crate {
    pub(crate) fn of(src: &Path) -> Self {
        let mut krate = Self { modules: BTreeMap::new() };
        for path in crate::structure::rust_files(src) {
            let file = path.strip_prefix(src).unwrap().to_owned();
            let code = std::fs::read_to_string(&path).unwrap();
            let parsed = syn::parse_file(&code).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let module = module_of(&file);
            Reader { krate: &mut krate, file, module }.items(&parsed.items);
        }
        krate
    }
}

/// The module that a file of `src` is.
fn module_of(file: &Path) -> Vec<String> {
    let mut module: Vec<String> =
        file.with_extension("").iter().map(|name| name.to_string_lossy().into_owned()).collect();
    if module.last().is_some_and(|name| ["lib", "main", "mod"].contains(&name.as_str())) {
        module.pop();
    }
    module
}

struct Reader<'a> {
    krate: &'a mut Crate,
    file: PathBuf,
    module: Vec<String>,
}

impl Reader<'_> {
    fn items(&mut self, items: &[Item]) {
        self.here();
        for item in items {
            if let Some(name) = name_of(item) {
                let definition =
                    if matches!(item, Item::Mod(_)) { Definition::Module } else { Definition::Item };
                self.define(name, definition);
            }
            self.visit_item(item);
        }
    }

    fn here(&mut self) -> &mut Module {
        let module = self.krate.modules.entry(self.module.clone()).or_default();
        module.file.clone_from(&self.file);
        module
    }

    fn define(&mut self, name: String, definition: Definition) {
        self.here().names.entry(name).or_default().push(definition);
    }

    fn mention(&mut self, path: Vec<String>, is_reexport: bool) {
        self.here().mentions.push(Mention { path, is_reexport });
    }

    fn import(&mut self, mut path: Vec<String>, tree: &UseTree, is_reexport: bool) {
        match tree {
            UseTree::Path(tree) => {
                path.push(tree.ident.to_string());
                self.import(path, &tree.tree, is_reexport);
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(path.clone(), tree, is_reexport);
                }
            }
            UseTree::Glob(_) => {
                self.mention(path.clone(), is_reexport);
                self.here().globs.push(path);
            }
            UseTree::Name(name) => self.import_as(path, &name.ident.to_string(), None, is_reexport),
            UseTree::Rename(tree) => {
                self.import_as(path, &tree.ident.to_string(), Some(tree.rename.to_string()), is_reexport);
            }
        }
    }

    fn import_as(&mut self, mut path: Vec<String>, name: &str, rename: Option<String>, is_reexport: bool) {
        if name != "self" || path.is_empty() {
            path.push(name.to_owned());
        }
        let name = rename.or_else(|| path.last().cloned()).unwrap_or_default();
        self.mention(path.clone(), is_reexport);
        self.define(name, Definition::Use(path));
    }

    /// The paths in the tokens of a macro. A single name isn't taken for one: it may be anything.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let (mut colons, mut of_another) = (0, false);
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.end(&mut path);
                    }
                    if !of_another {
                        path.push(ident.to_string());
                    }
                    (colons, of_another) = (0, false);
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                other => {
                    self.end(&mut path);
                    // `$crate` is whichever crate the macro is of, `::name` and `#name` are no paths of this one.
                    of_another = colons == 2
                        || matches!(&other, TokenTree::Punct(punct) if "$#".contains(punct.as_char()));
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.tokens(group.stream());
                    }
                }
            }
        }
        self.end(&mut path);
    }

    fn end(&mut self, path: &mut Vec<String>) {
        let path = std::mem::take(path);
        if path.len() > 1 {
            self.mention(path, false);
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if is_test(attributes_of(item)) {
            return;
        }
        match item {
            Item::Mod(module) => {
                let Some((_, items)) = &module.content else { return };
                self.module.push(module.ident.to_string());
                self.items(items);
                self.module.pop();
            }
            Item::Use(import) if import.leading_colon.is_none() => {
                let is_reexport = !matches!(import.vis, syn::Visibility::Inherited);
                self.import(Vec::new(), &import.tree, is_reexport);
            }
            Item::Use(_) => {}
            other => visit::visit_item(self, other),
        }
    }

    fn visit_impl_item(&mut self, item: &'ast syn::ImplItem) {
        let attributes = match item {
            syn::ImplItem::Fn(function) => &function.attrs[..],
            syn::ImplItem::Const(constant) => &constant.attrs,
            _ => &[],
        };
        if !is_test(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            self.mention(path.segments.iter().map(|segment| segment.ident.to_string()).collect(), false);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, invoked: &'ast syn::Macro) {
        self.visit_path(&invoked.path);
        let name = invoked.path.segments.last().map(|segment| segment.ident.to_string());
        if !name.is_some_and(|name| GENERATING.contains(&name.as_str())) {
            self.tokens(invoked.tokens.clone());
        }
    }

    /// `pub(in path)` imports nothing.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_attribute(&mut self, _: &'ast Attribute) {}
}

/// Whether it is compiled for tests only.
pub(crate) fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).any(|attribute| {
        attribute.parse_args::<TokenStream>().is_ok_and(|condition| {
            let condition = condition.to_string();
            condition == "test" || condition.starts_with("all (test") || condition.starts_with("all(test")
        })
    })
}

fn name_of(item: &Item) -> Option<String> {
    if is_test(attributes_of(item)) {
        return None;
    }
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Mod(item) => &item.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::TraitAlias(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(ident.to_string())
}

fn attributes_of(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
