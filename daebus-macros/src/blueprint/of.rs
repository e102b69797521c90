//! `blueprint_of!["users"; get_user, handlers::create_user]`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::{LitStr, Path, Token};

use super::validate::checked_blueprint_name;
use crate::mistakes::Mistakes;
use crate::private::Private;

struct Collection {
    name: LitStr,
    /// The path of the framework, if there is a `crate = path`.
    root: Option<Path>,
    handlers: Punctuated<Path, Token![,]>,
}

impl Parse for Collection {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        const COLLECTION_EXAMPLE: &str = "`blueprint_of![\"users\"; get_user, create_user]`";
        if !input.peek(LitStr) {
            return Err(
                input.error(format!("the blueprint's name comes first, in quotes: {COLLECTION_EXAMPLE}"))
            );
        }
        let name = input.parse()?;
        let root = root(input)?;
        if !input.peek(Token![;]) {
            return Err(
                input.error(format!("a `;` stands between the name and the handlers: {COLLECTION_EXAMPLE}"))
            );
        }
        input.parse::<Token![;]>()?;
        if input.is_empty() {
            return Err(input.error(format!("there is no handler: {COLLECTION_EXAMPLE}")));
        }
        Ok(Self { name, root, handlers: Punctuated::parse_terminated(input)? })
    }
}

/// `, crate = facade::daebus`.
fn root(input: ParseStream<'_>) -> syn::Result<Option<Path>> {
    if !(input.peek(Token![,]) && input.peek2(Token![crate])) {
        return Ok(None);
    }
    input.parse::<Token![,]>()?;
    input.parse::<Token![crate]>()?;
    input.parse::<Token![=]>()?;
    input.parse().map(Some)
}

/// Expands to an expression of type `Blueprint`, whatever is wrong.
pub(crate) fn expand(tokens: TokenStream) -> TokenStream {
    expand_with(Private::of_service(), tokens)
}

fn expand_with(private: Private, tokens: TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let Some(collection) = mistakes.take(syn::parse2::<Collection>(tokens)) else {
        let p = private.here();
        let mistakes = mistakes.into_tokens();
        return quote!({ #mistakes #p::Blueprint::new("") });
    };
    let private = private.under(collection.root);
    let p = private.here();
    let name = checked_blueprint_name(collection.name, &mut mistakes);
    let mut seen: Vec<String> = Vec::new();
    for handler in &collection.handlers {
        let path = handler.to_token_stream().to_string();
        if seen.contains(&path) {
            mistakes.on(handler, "this handler is in the list already");
        }
        seen.push(path);
    }
    let variable = Ident::new("blueprint", Span::mixed_site());
    // As a type: a function without an attribute is reported as the function that it is, by E0573. An error with advice is
    // impossible: name resolution fails before any trait is checked, and a `use` that resolves to a function as well, which
    // could have a fallback, makes a handler ambiguous that is named like a crate.
    let mounts = collection.handlers.iter().map(|handler| {
        let p = private.at(handler.span());
        quote_spanned!(handler.span()=> let #variable = <#handler as #p::Mount>::mount(#variable);)
    });
    let mistakes = mistakes.into_tokens();
    quote! {{
        #mistakes
        let #variable = #p::Blueprint::new(#name);
        #(#mounts)*
        #variable
    }}
}
