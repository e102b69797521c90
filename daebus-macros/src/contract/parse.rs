//! Tokens → a trait.

use syn::ItemTrait;
use syn::parse::{Parse, ParseStream};

/// A trait as it was written.
pub(super) struct Declaration(pub(super) ItemTrait);

impl Parse for Declaration {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        match input.parse::<syn::Item>()? {
            syn::Item::Trait(item) => Ok(Self(item)),
            other => {
                let message =
                    "`#[contract]` belongs on a trait: `#[contract(\"user_service\")] pub trait Users { … }`";
                let mut tokens = quote::ToTokens::into_token_stream(&other).into_iter();
                let visible = |tree: &proc_macro2::TokenTree| matches!(tree, proc_macro2::TokenTree::Ident(word) if word != "pub");
                Err(syn::Error::new_spanned(tokens.find(visible), message))
            }
        }
    }
}
