//! Arguments and `impl` → a checked blueprint.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{Ident, ImplItem, LitStr, Type};

use super::model::ObjectBlueprint;
use super::parse::{Object, ObjectItem};
use crate::attr::Arguments;
use crate::blueprint::validate::{checked_blueprint_name, method, refuse_shared_names};
use crate::endpoint::{self, Function, Handler};
use crate::mistakes::Mistakes;
use crate::private::Private;

/// Checks the `impl` and its handlers, whose attributes are not expanded on their own.
pub(super) fn validate(
    mut arguments: Arguments,
    object: Object,
    private: &Private,
    mistakes: &mut Mistakes,
) -> ObjectBlueprint {
    let ident = type_name(&object.ty, mistakes);
    let example = format!("\"{}\"", ident.to_string().to_lowercase());
    let name = arguments.name("the blueprint", &example, mistakes);
    let name = name.map(|name| checked_blueprint_name(name, mistakes));
    let name = name.unwrap_or_else(|| LitStr::new("", ident.span()));
    let contract = arguments.path("contract", "the trait that carries `#[contract]`", "Users", mistakes);
    let has_caller = arguments.truth("caller", mistakes).unwrap_or(true);
    arguments.finish(mistakes);
    declaration(&object, mistakes);

    let has_constructor = refuse_constructor(&object.items, mistakes);
    let handlers = object.items.iter().filter_map(|item| match item {
        ObjectItem::Handler(function) => Some(handler(function, &object.ty, mistakes)),
        _ => None,
    });
    let handlers: Vec<Handler> = handlers.collect();
    if handlers.is_empty() {
        mistakes.on(
            &object.ty,
            "there is no handler in this `impl`; put `#[action(\"…\")]`, `#[listen(\"…\")]`, `#[route(\"/…\")]`, `#[socket(\"…\")]`, \
             `#[on_start]` or `#[on_stop]` on a method: `#[action(\"add\")] async fn add(&self, …)`",
        );
    }
    refuse_shared_names(&handlers, mistakes);
    let is_generic = !object.generics.params.is_empty();
    let wanted = !is_generic && (has_caller || contract.is_some());
    let methods = handlers.iter().enumerate().filter(|_| wanted);
    let methods =
        methods.filter_map(|(at, handler)| Some((at, method(handler, has_caller, private, mistakes)?)));
    let methods = methods.collect();
    ObjectBlueprint { name, contract, object, ident, handlers, methods, has_caller, has_constructor }
}

/// The name that the typed caller is named after.
fn type_name(ty: &Type, mistakes: &mut Mistakes) -> Ident {
    if let Type::Path(path) = ty
        && let Some(last) = path.path.segments.last()
    {
        return last.ident.clone();
    }
    mistakes.on(
        ty,
        "`#[blueprint]` names the typed caller after the type; write a type with a name: `impl Shop`",
    );
    Ident::new("Blueprint", Span::call_site())
}

/// The head of the `impl`.
fn declaration(object: &Object, mistakes: &mut Mistakes) {
    if !object.generics.params.is_empty() {
        mistakes.on(
            &object.generics,
            "a blueprint has no type parameters: its handlers are registered once, under fixed names, and the typed caller \
             needs their types; write the `impl` for one type (`impl Shop<Postgres>`), or keep a `Box<dyn Trait>` in it",
        );
    } else if let Some(clause) = &object.generics.where_clause {
        mistakes
            .on(clause, "a blueprint has no type parameters, so a `where` clause has no use; leave it out");
    }
}

fn refuse_constructor(items: &[ObjectItem], mistakes: &mut Mistakes) -> bool {
    let mut is_taken = false;
    for item in items {
        let ident = match item {
            ObjectItem::Handler(function) | ObjectItem::Function(function) => {
                endpoint::refuse_cfg_attr(&function.attrs, mistakes);
                &function.sig.ident
            }
            ObjectItem::Other(item) => match &**item {
                ImplItem::Const(item) => &item.ident,
                _ => continue,
            },
        };
        if ident == "blueprint" {
            is_taken = true;
            mistakes.on(
                ident,
                "`#[blueprint]` adds a function `blueprint` to this `impl`; give this one another name",
            );
        }
    }
    is_taken
}

fn handler(function: &Function, ty: &Type, mistakes: &mut Mistakes) -> Handler {
    let mut named = function.clone();
    let ty = ty.to_token_stream();
    let sig = with_name(named.sig.to_token_stream(), &ty);
    // A signature stays one when a type takes the place of `Self`.
    if let Ok(sig) = syn::parse2(sig) {
        named.sig = sig;
    }
    for attribute in &mut named.attrs {
        if let syn::Meta::List(list) = &mut attribute.meta {
            list.tokens = with_name(list.tokens.clone(), &ty);
        }
    }
    endpoint::validate_method(named, mistakes)
}

/// Replaces `Self` by the name of the type, since the typed caller has a `Self` of its own.
fn with_name(tokens: TokenStream, ty: &TokenStream) -> TokenStream {
    let trees = tokens.into_iter().map(|tree| match tree {
        TokenTree::Ident(ident) if ident == "Self" => {
            let ty = ty.clone().into_iter().map(|mut tree| {
                tree.set_span(ident.span());
                tree
            });
            ty.collect()
        }
        TokenTree::Group(group) => {
            let mut inner = Group::new(group.delimiter(), with_name(group.stream(), ty));
            inner.set_span(group.span());
            quote!(#inner)
        }
        other => other.into(),
    });
    trees.collect()
}
