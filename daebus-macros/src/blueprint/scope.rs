//! What else stands in the module and is in the way of what the attribute adds, or can't be reached by it.

use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, Ident, Item, ItemFn, ItemMod, UseTree};

use super::parse::ModuleItem;
use crate::attr::Kind;
use crate::endpoint;
use crate::mistakes::Mistakes;

/// The names the attribute adds, and whether they are taken.
pub(super) struct Taken {
    pub(super) blueprint: bool,
    pub(super) caller: bool,
    /// Whether the attribute adds `Caller`: not with `caller = false`.
    pub(super) has_caller: bool,
}

impl Taken {
    fn refuse_constructor(&mut self, ident: &Ident, mistakes: &mut Mistakes) {
        self.blueprint |= refuse(ident, "blueprint", mistakes);
    }

    fn refuse_caller(&mut self, ident: &Ident, mistakes: &mut Mistakes) {
        self.caller |= self.has_caller && refuse(ident, "Caller", mistakes);
    }
}

/// Looks through the module's items.
pub(super) fn check(items: &[ModuleItem], has_caller: bool, mistakes: &mut Mistakes) -> Taken {
    let mut taken = Taken { blueprint: false, caller: false, has_caller };
    for item in items {
        match item {
            ModuleItem::Handler(function) | ModuleItem::Function(function) => {
                endpoint::refuse_cfg_attr(&function.attrs, mistakes);
                if let (ModuleItem::Handler(_), Some(receiver)) = (item, function.sig.receiver()) {
                    endpoint::refuse_receiver(receiver, mistakes);
                }
                let ident = &function.sig.ident;
                taken.refuse_constructor(ident, mistakes);
                // A handler stands for a struct of its name as well.
                if matches!(item, ModuleItem::Handler(_)) {
                    taken.refuse_caller(ident, mistakes);
                }
            }
            ModuleItem::Other(item) => other(item, &mut taken, mistakes),
        }
    }
    taken
}

fn other(item: &Item, taken: &mut Taken, mistakes: &mut Mistakes) {
    match item {
        Item::Mod(item) => nested(item, mistakes),
        Item::Const(item) => taken.refuse_constructor(&item.ident, mistakes),
        Item::Static(item) => taken.refuse_constructor(&item.ident, mistakes),
        Item::Use(item) => imports(&item.tree, taken, mistakes),
        _ => {}
    }
    if let Some(name) = type_name(item) {
        taken.refuse_caller(name, mistakes);
    }
}

fn refuse(ident: &Ident, name: &str, mistakes: &mut Mistakes) -> bool {
    let is_taken = ident == name;
    if is_taken {
        let what =
            if name == "Caller" { "a struct `Caller`, the typed stub," } else { "a function `blueprint`" };
        mistakes
            .on(ident, format!("`#[blueprint]` puts {what} into this module; give this one another name"));
    }
    is_taken
}

/// Handlers whose struct would have the name of a type, a module or an import in the module. Returns their names.
pub(super) fn refuse_shadowing(items: &[ModuleItem], mistakes: &mut Mistakes) -> Vec<Ident> {
    let mut names = Vec::new();
    for item in items {
        if let ModuleItem::Other(item) = item {
            names.extend(type_name(item).cloned());
            if let Item::Use(item) = &**item {
                imported(&item.tree, &mut names);
            }
        }
    }
    let handlers = items.iter().filter_map(|item| match item {
        ModuleItem::Handler(function) => Some(&function.sig.ident),
        _ => None,
    });
    let shadowing: Vec<Ident> = handlers.filter(|ident| names.contains(ident)).cloned().collect();
    for ident in &shadowing {
        mistakes.on(ident, endpoint::shadows(&format!("the other `{ident}` of this module")));
    }
    shadowing
}

/// The name of an item that is a type or a module.
fn type_name(item: &Item) -> Option<&Ident> {
    Some(match item {
        Item::Struct(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Union(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Mod(item) => &item.ident,
        _ => return None,
    })
}

/// The names that a `use` adds to the module, but for those of a glob.
fn imported(tree: &UseTree, names: &mut Vec<Ident>) {
    match tree {
        UseTree::Path(step) => imported(&step.tree, names),
        UseTree::Group(group) => group.items.iter().for_each(|tree| imported(tree, names)),
        UseTree::Name(name) => names.push(name.ident.clone()),
        UseTree::Rename(rename) => names.push(rename.rename.clone()),
        UseTree::Glob(_) => {}
    }
}

/// `use daebus::Caller;`. An attribute under another name is reported where it stands on a function.
fn imports(tree: &UseTree, taken: &mut Taken, mistakes: &mut Mistakes) {
    match tree {
        UseTree::Path(step) => imports(&step.tree, taken, mistakes),
        UseTree::Group(group) => group.items.iter().for_each(|tree| imports(tree, taken, mistakes)),
        UseTree::Name(name) if taken.has_caller && name.ident == "Caller" => {
            taken.caller = true;
            mistakes.on(
                &name.ident,
                "`#[blueprint]` puts a struct `Caller`, the typed stub, into this module; \
                 import this one under another name (`Caller as BusCaller`) or write its path",
            );
        }
        UseTree::Rename(rename) => taken.refuse_caller(&rename.rename, mistakes),
        _ => {}
    }
}

/// Handlers in a module inside of this one wouldn't be mounted.
fn nested(module: &ItemMod, mistakes: &mut Mistakes) {
    struct FindHandlers<'a>(&'a mut Mistakes);
    impl VisitMut for FindHandlers<'_> {
        fn visit_item_fn_mut(&mut self, function: &mut ItemFn) {
            for attribute in &function.attrs {
                if let Some(kind) = Kind::of(attribute) {
                    self.0.on(
                        attribute.path(),
                        format!(
                            "`#[blueprint]` collects what stands directly in its module, and this `{}` would not be \
                             mounted; move it up, or give the inner module a `#[blueprint]` of its own",
                            kind.name()
                        ),
                    );
                }
            }
        }

        fn visit_item_mod_mut(&mut self, module: &mut ItemMod) {
            if !stands_alone(&module.attrs) {
                visit_mut::visit_item_mod_mut(self, module);
            }
        }
    }
    FindHandlers(mistakes).visit_item_mod_mut(&mut module.clone());
}

/// A blueprint of its own, or tests, which may collect their handlers as they like.
fn stands_alone(attrs: &[Attribute]) -> bool {
    attrs.iter().any(|attribute| {
        let is_blueprint = attribute.path().segments.last().is_some_and(|last| last.ident == "blueprint");
        let is_test = attribute.path().is_ident("cfg")
            && attribute.parse_args::<Ident>().is_ok_and(|condition| condition == "test");
        is_blueprint || is_test
    })
}
