//! Whether a blueprint offers what its contract says. The contract's own macro calls this with its actions, and hands
//! on what the blueprint wrote behind them.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned as _;
use syn::{Attribute, LitStr, Path, Type, braced, bracketed};

use crate::mistakes::Mistakes;
use crate::names::hash;
use crate::private::Private;

/// One handler of the blueprint, under one of its names.
pub(crate) struct Offer {
    pub(crate) name: LitStr,
    pub(crate) cfgs: Vec<Attribute>,
    pub(crate) function: Ident,
    pub(crate) payload: Type,
    pub(crate) answer: Type,
    pub(crate) error: Type,
    pub(crate) progress: Type,
}

impl ToTokens for Offer {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self { name, cfgs, function, payload, answer, error, progress } = self;
        tokens.extend(quote!([#(#cfgs)* #name #function [#payload] [#answer] [#error] [#progress]]));
    }
}

impl Parse for Offer {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        fn bracketed_type(input: ParseStream<'_>) -> syn::Result<Type> {
            let content;
            bracketed!(content in input);
            content.parse()
        }
        let content;
        bracketed!(content in input);
        Ok(Self {
            cfgs: content.call(Attribute::parse_outer)?,
            name: content.parse()?,
            function: content.parse()?,
            payload: bracketed_type(&content)?,
            answer: bracketed_type(&content)?,
            error: bracketed_type(&content)?,
            progress: bracketed_type(&content)?,
        })
    }
}

/// `{ ["get_user" "async fn …"] … } { ::daebus } { Users } { super::__contract_of_users } { offers }`.
struct Check {
    actions: Vec<(LitStr, LitStr)>,
    root: Path,
    contract: Path,
    import: Path,
    offers: Vec<Offer>,
}

impl Parse for Check {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let (actions, root, contract, import, offers);
        braced!(actions in input);
        braced!(root in input);
        braced!(contract in input);
        braced!(import in input);
        braced!(offers in input);
        let mut check = Self {
            actions: Vec::new(),
            root: root.parse()?,
            contract: contract.parse()?,
            import: import.parse()?,
            offers: Vec::new(),
        };
        while !actions.is_empty() {
            let action;
            bracketed!(action in actions);
            check.actions.push((action.parse()?, action.parse()?));
        }
        while !offers.is_empty() {
            check.offers.push(offers.parse()?);
        }
        Ok(check)
    }
}

/// Expands the call that a contract makes back.
pub(crate) fn expand(tokens: TokenStream) -> TokenStream {
    expand_with(Private::of_service(), tokens)
}

fn expand_with(private: Private, tokens: TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let Some(check) = mistakes.take(syn::parse2::<Check>(tokens)) else { return mistakes.into_tokens() };
    let private = private.under(Some(check.root.clone()));
    missing(&check, &mut mistakes);
    let offers = check.offers.iter().filter(|offer| {
        let name = offer.name.value();
        check.actions.iter().any(|(action, _)| action.value() == name)
    });
    let checks = offers.map(|offer| same_types(&private, &check, offer));
    let checks: TokenStream = checks.collect();
    let mistakes = mistakes.into_tokens();
    quote!(#checks #mistakes)
}

fn missing(check: &Check, mistakes: &mut Mistakes) {
    let offered = |name: &str| check.offers.iter().any(|offer| offer.name.value() == name);
    let missing = check.actions.iter().filter(|(name, _)| !offered(&name.value()));
    let missing: Vec<String> = missing.map(|(_, signature)| format!("\n    {}", signature.value())).collect();
    if missing.is_empty() {
        return;
    }
    let contract = crate::stub::shown(&check.contract);
    let what = if missing.len() == 1 { "an action".to_owned() } else { format!("{} actions", missing.len()) };
    mistakes.on(
        &check.contract,
        format!("the contract `{contract}` has {what} that this blueprint lacks; write{}", missing.concat()),
    );
}

/// Type equality is a question for the compiler; each is asked on the handler's own token.
fn same_types(private: &Private, check: &Check, offer: &Offer) -> TokenStream {
    let Offer { name, cfgs, function, payload, answer, error, progress } = offer;
    let import = &check.import;
    let key = hash(&name.value());
    let p = private.here();
    let agreed = Ident::new("agreed", proc_macro2::Span::mixed_site());
    let same = |part: &str, ty: &Type| {
        let part = Ident::new(part, ty.span());
        quote_spanned!(ty.span()=> #agreed.#part::<#ty>();)
    };
    let payload = same("payload", payload);
    let answer = same("answer", answer);
    let error = same("error", error);
    let progress = same("progress", progress);
    let conditions: Vec<TokenStream> =
        cfgs.iter().filter_map(|cfg| cfg.parse_args::<TokenStream>().ok()).collect();
    let left_out = (!conditions.is_empty()).then(|| {
        let message = format!(
            "the contract has the action `{}`, and a `cfg` leaves out `fn {function}`, which answers it",
            name.value()
        );
        let error = syn::Error::new(function.span(), message).into_compile_error();
        quote!(#[cfg(not(all(#(#conditions),*)))] #error)
    });
    quote! {
        #(#cfgs)*
        #[allow(deprecated)]
        const _: () = {
            let #agreed = #p::agreed(#import::<#key>);
            #payload #answer #error #progress
        };
        #left_out
    }
}
