//! Tokens → an `impl` and its items. A function's body stays tokens.

use proc_macro2::TokenStream;
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::{Attribute, Generics, ImplItem, Token, Type, WhereClause, braced, token};

use super::super::item::BlueprintItem;

const OBJECT_EXAMPLE: &str = "`#[blueprint(\"shop\")] impl Shop { … }`";

/// The `impl` of a type.
pub(super) struct Object {
    pub(super) attrs: Vec<Attribute>,
    pub(super) impl_token: Token![impl],
    pub(super) generics: Generics,
    pub(super) ty: Type,
    pub(super) brace: token::Brace,
    /// `#![…]` inside the braces.
    pub(super) inner: Vec<Attribute>,
    pub(super) items: Vec<ObjectItem>,
}

/// An item of the `impl`.
pub(super) type ObjectItem = BlueprintItem<ImplItem>;

/// Whether the item is an `impl`.
pub(in crate::blueprint) fn is_impl(item: &TokenStream) -> bool {
    let parse = |input: ParseStream<'_>| {
        input.call(Attribute::parse_outer)?;
        input.parse::<Option<Token![unsafe]>>()?;
        input.parse::<Token![impl]>()?;
        input.parse::<TokenStream>()
    };
    parse.parse2(item.clone()).is_ok()
}

impl Parse for Object {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        if input.peek(Token![unsafe]) {
            return Err(input.error(format!("leave out `unsafe`: {OBJECT_EXAMPLE}")));
        }
        let impl_token = input.parse()?;
        let mut generics: Generics = input.parse()?;
        let ty = input.parse()?;
        if input.peek(Token![for]) {
            return Err(input.error(format!(
                "`#[blueprint]` adds functions to the `impl`, so it can't be the `impl` of a trait; put the handlers into \
                 the type's own `impl`: {OBJECT_EXAMPLE}"
            )));
        }
        generics.where_clause = input.parse::<Option<WhereClause>>()?;
        let content;
        let brace = braced!(content in input);
        let inner = content.call(Attribute::parse_inner)?;
        let mut items = Vec::new();
        while !content.is_empty() {
            items.push(content.parse()?);
        }
        Ok(Self { attrs, impl_token, generics, ty, brace, inner, items })
    }
}
