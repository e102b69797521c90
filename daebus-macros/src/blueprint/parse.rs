//! Tokens → a module and its items. A function's body stays tokens.

use proc_macro2::TokenStream;
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::{Attribute, Ident, Item, Token, Visibility, braced, token};

use super::item::BlueprintItem;

const MODULE_EXAMPLE: &str = "`#[blueprint(\"users\")] mod users { … }`";

/// A module with a body.
pub(super) struct Module {
    pub(super) attrs: Vec<Attribute>,
    pub(super) vis: Visibility,
    pub(super) mod_token: Token![mod],
    pub(super) brace: token::Brace,
    pub(super) ident: Ident,
    /// `#![…]` inside the braces.
    pub(super) inner: Vec<Attribute>,
    pub(super) items: Vec<ModuleItem>,
}

/// An item of the module.
pub(super) type ModuleItem = BlueprintItem<Item>;

impl Parse for Module {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        if !input.peek(Token![mod]) {
            return Err(input.error(format!(
                "`#[blueprint]` belongs on a module with a body, or on an `impl`: {MODULE_EXAMPLE}"
            )));
        }
        let mod_token = input.parse()?;
        let ident: Ident = input.parse()?;
        let content;
        let brace = braced!(content in input);
        let inner = content.call(Attribute::parse_inner)?;
        let mut items = Vec::new();
        while !content.is_empty() {
            items.push(content.parse()?);
        }
        Ok(Self { attrs, vis, mod_token, brace, ident, inner, items })
    }
}

/// The name of a module without a body.
pub(super) fn name_of_file_module(item: &TokenStream) -> Option<Ident> {
    let parse = |input: ParseStream<'_>| {
        input.call(Attribute::parse_outer)?;
        input.parse::<Visibility>()?;
        input.parse::<Token![mod]>()?;
        let ident = input.parse()?;
        input.parse::<Token![;]>()?;
        Ok(ident)
    };
    parse.parse2(item.clone()).ok()
}

impl BlueprintItem<Item> {
    /// The name of a module inside of this one whose body is in another file.
    pub(super) fn name_of_file_module(&self) -> Option<&Ident> {
        match self {
            Self::Other(item) => match &**item {
                Item::Mod(module) if module.content.is_none() => Some(&module.ident),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether the item is a macro call, which may produce handlers.
    pub(super) fn is_macro_call(&self) -> bool {
        // The definition of a `macro_rules!` has a name.
        matches!(self, Self::Other(item) if matches!(&**item, Item::Macro(call) if call.ident.is_none()))
    }
}
