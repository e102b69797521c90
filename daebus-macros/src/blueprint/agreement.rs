//! What a blueprint hands to its contract to be checked.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{Attribute, LitStr, Path, Type, parse_quote_spanned};

use crate::contract::Offer;
use crate::endpoint::Handler;
use crate::inherited::cfgs;
use crate::private::Private;
use crate::stub::{self, Method};

/// A blueprint and the contract that it names.
pub(super) struct Agreement<'a> {
    pub(super) contract: Option<&'a Path>,
    /// The name of the module or type.
    pub(super) ident: &'a Ident,
    pub(super) attrs: &'a [Attribute],
    /// Begins the path from the check to the import: `super::` in a module.
    pub(super) place: TokenStream,
    pub(super) handlers: &'a [Handler],
    pub(super) methods: &'a [(usize, Method)],
}

/// An import beside the module, and the check inside of it: the contract's path is written outside, where it means
/// what its author thinks it means, while the handlers' types may be private to the module.
pub(super) fn expand(
    private: &Private,
    agreement: &Agreement<'_>,
    sound: bool,
) -> Option<(TokenStream, TokenStream)> {
    let contract = agreement.contract?;
    let place = &agreement.place;
    let cfgs = cfgs(agreement.attrs);
    // Seen by whoever names a trait that is no contract, as the name that the compiler can't find.
    let last = contract.segments.last()?.ident.unraw();
    let span = Span::call_site().located_at(contract.span());
    let import = format_ident!("{last}_is_no_contract_for_{}", agreement.ident.unraw(), span = span);
    let outside = quote! {
        #(#cfgs)*
        #[doc(hidden)]
        #[allow(unused_imports, non_snake_case)]
        use #contract as #import;
    };
    let inside = sound.then(|| {
        let p = private.here();
        let root = private.root();
        let offers = agreement
            .methods
            .iter()
            .flat_map(|(at, method)| offers(private, &agreement.handlers[*at], method));
        quote_spanned!(span=> #place #import! { { #p::check_contract } { #root } { #contract } { #place #import } { #(#offers)* } })
    });
    Some((outside, inside.unwrap_or_default()))
}

/// What a handler offers, once for each of its names.
fn offers(private: &Private, handler: &Handler, method: &Method) -> Vec<Offer> {
    let span = method.ident.span();
    let p = private.at(span);
    let nothing: Type = parse_quote_spanned!(span=> ());
    let parsed = |tokens: TokenStream| syn::parse2::<Type>(tokens).unwrap_or_else(|_| nothing.clone());
    let value = || quote_spanned!(span=> #p::Value);
    let names: Vec<LitStr> = handler.actions().map(|action| action.name.clone()).collect();
    let offer = |name| Offer {
        name,
        cfgs: cfgs(&handler.function.attrs),
        function: Ident::clone(&method.ident),
        payload: parsed(method.compared_payload(private)),
        answer: match &handler.function.sig.output {
            syn::ReturnType::Default => nothing.clone(),
            syn::ReturnType::Type(..) => parsed(method.compared_answer(private)),
        },
        error: parsed(stub::remote_at(method.error.as_ref(), private, span)),
        progress: parsed(method.progress.clone().unwrap_or_else(value)),
    };
    names.into_iter().map(offer).collect()
}
