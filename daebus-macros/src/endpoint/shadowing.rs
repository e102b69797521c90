//! Names that a handler can't have, because the struct beside the function would hide what the name means otherwise.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::ext::IdentExt as _;

use super::parse::Function;
use crate::mistakes::Mistakes;

const PRIMITIVES: [&str; 17] = [
    "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "str", "u8", "u16", "u32",
    "u64", "u128", "usize",
];

/// Returns whether the function's name can stand for a struct as well; if not, this is reported.
pub(super) fn check(function: &Function, mistakes: &mut Mistakes) -> bool {
    let ident = &function.sig.ident;
    let name = ident.unraw().to_string();
    let hidden = if PRIMITIVES.contains(&name.as_str()) {
        format!("the type `{name}`")
    } else if begins_path(&name, function.to_token_stream()) {
        format!("what `{name}::` means in this function")
    } else {
        return true;
    };
    mistakes.on(ident, shadows(&hidden));
    false
}

/// Reports that a handler hides something.
pub(crate) fn shadows(hidden: &str) -> String {
    format!(
        "a handler's name stands for a struct too, which would hide {hidden}; give the function another name: its name on \
         the bus, the argument of its attribute, stays"
    )
}

/// Whether a path begins with `name::`, other than the turbofish of a call.
fn begins_path(name: &str, tokens: TokenStream) -> bool {
    let is_colon =
        |tree: Option<&TokenTree>| matches!(tree, Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    trees.iter().enumerate().any(|(at, tree)| match tree {
        TokenTree::Group(group) => begins_path(name, group.stream()),
        TokenTree::Ident(ident) if *ident == name => {
            let is_first = at == 0 || !is_colon(trees.get(at - 1));
            let is_path = is_colon(trees.get(at + 1)) && is_colon(trees.get(at + 2));
            is_first
                && is_path
                && matches!(trees.get(at + 3), Some(TokenTree::Ident(_) | TokenTree::Group(_)))
        }
        _ => false,
    })
}
