//! `#[blueprint("users", crate = path)]` holds for the handlers of the module too.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::quote;
use syn::{MacroDelimiter, Meta, MetaList, Path, token};

use super::parse::{Module, ModuleItem};
use crate::attr::Kind;
use crate::endpoint::Function;

/// Adds `crate = path` to the handlers that don't have it.
pub(super) fn hand_on(root: Option<&Path>, mut module: Module) -> Module {
    let Some(root) = root else { return module };
    for item in &mut module.items {
        if let ModuleItem::Handler(function) = item {
            add(root, function);
        }
    }
    module
}

fn add(root: &Path, function: &mut Function) {
    let mut ours: Vec<&mut Meta> = function
        .attrs
        .iter_mut()
        .filter(|attribute| Kind::of(attribute).is_some())
        .map(|attribute| &mut attribute.meta)
        .collect();
    if ours.iter().any(|meta| matches!(meta, Meta::List(list) if has_root(&list.tokens))) {
        return;
    }
    let Some(first) = ours.first_mut() else { return };
    let (path, arguments) = match &**first {
        Meta::Path(path) => (path.clone(), TokenStream::new()),
        Meta::List(list) => (list.path.clone(), list.tokens.clone()),
        Meta::NameValue(_) => return,
    };
    let ends_with_comma =
        matches!(arguments.clone().into_iter().last(), Some(TokenTree::Punct(last)) if last.as_char() == ',');
    let comma = (!arguments.is_empty() && !ends_with_comma).then(|| quote!(,));
    let delimiter = MacroDelimiter::Paren(token::Paren(Span::call_site()));
    **first = Meta::List(MetaList { path, delimiter, tokens: quote!(#arguments #comma crate = #root) });
}

fn has_root(arguments: &TokenStream) -> bool {
    let trees: Vec<TokenTree> = arguments.clone().into_iter().collect();
    trees.windows(2).any(|pair| {
        matches!(pair, [TokenTree::Ident(key), TokenTree::Punct(equals)] if key == "crate" && equals.as_char() == '=')
    })
}
