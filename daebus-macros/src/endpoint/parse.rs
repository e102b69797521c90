//! Tokens → a function. Its body stays tokens: what is in there is the compiler's business.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, TokenStreamExt as _};
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, FnArg, Signature, Visibility, token};

use crate::attr::Kind;

/// A function with a body.
#[derive(Clone)]
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    body: TokenTree,
}

impl Function {
    /// Whether a function comes next, after attributes and visibility.
    pub(crate) fn is_next(input: ParseStream<'_>) -> bool {
        let ahead = input.fork();
        Attribute::parse_outer(&ahead).is_ok()
            && ahead.parse::<Visibility>().is_ok()
            && ahead.parse::<Signature>().is_ok()
    }

    /// The function without `self`, and with a body that doesn't need it. `None` if it has no `self`.
    pub(crate) fn without_receiver(&self, body: TokenTree) -> Option<Self> {
        self.sig.receiver()?;
        let mut function = self.clone();
        let inputs = std::mem::take(&mut function.sig.inputs);
        function.sig.inputs = inputs.into_iter().filter(|input| matches!(input, FnArg::Typed(_))).collect();
        function.body = body;
        Some(function)
    }
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        let sig = input.parse()?;
        if !input.peek(token::Brace) {
            return Err(input.error("a handler needs a body"));
        }
        Ok(Self { attrs, vis, sig, body: input.parse()? })
    }
}

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.append_all(&self.attrs);
        self.vis.to_tokens(tokens);
        self.sig.to_tokens(tokens);
        self.body.to_tokens(tokens);
    }
}

/// Says what an attribute belongs on, when it stands on something else.
pub(super) fn explain(kind: Kind, item: &TokenStream, error: syn::Error) -> syn::Error {
    let name = kind.name();
    let other = syn::parse2::<syn::Item>(item.clone()).ok().filter(|item| !matches!(item, syn::Item::Fn(_)));
    let looks_like_function = |input: ParseStream<'_>| {
        let is_function = Function::is_next(input);
        input.parse::<TokenStream>().map(|_| is_function)
    };
    let is_function = syn::parse::Parser::parse2(looks_like_function, item.clone()).unwrap_or_default();
    if is_function {
        return error;
    }
    let message = format!(
        "`#[{name}]` belongs on a function: `#[{name}{}] async fn …`",
        match kind {
            Kind::Action | Kind::Workflow | Kind::Listen | Kind::Socket | Kind::Thread => "(\"…\")",
            Kind::Background => "(\"…\", 3600)",
            Kind::Route => "(\"/…\")",
            _ => "",
        }
    );
    match other {
        Some(item) => syn::Error::new_spanned(keyword(&item), message),
        None => error_here(item, message),
    }
}

/// The word that says what kind of item it is, behind attributes and visibility.
fn keyword(item: &syn::Item) -> TokenStream {
    let skip = |input: ParseStream<'_>| {
        input.call(Attribute::parse_outer)?;
        input.parse::<Visibility>()?;
        let first: TokenTree = input.parse()?;
        input.parse::<TokenStream>()?;
        Ok(first.into_token_stream())
    };
    syn::parse::Parser::parse2(skip, item.to_token_stream()).unwrap_or_default()
}

fn error_here(item: &TokenStream, message: String) -> syn::Error {
    let first = item.clone().into_iter().next();
    syn::Error::new_spanned(first, message)
}
