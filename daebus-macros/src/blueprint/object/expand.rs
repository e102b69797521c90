//! A checked blueprint → the `impl`, with `blueprint()` in it, and the caller beside it. Can't fail.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::parse_quote;
use syn::spanned::Spanned as _;

use super::super::agreement::{self, Agreement};
use super::super::{assertions, typed_caller};
use super::model::ObjectBlueprint;
use super::parse::{Object, ObjectItem};
use crate::attr::Kind;
use crate::endpoint;
use crate::inherited::{cfgs, lints};
use crate::mistakes::Mistakes;
use crate::private::Private;

pub(super) fn expand(private: &Private, blueprint: &ObjectBlueprint, mistakes: Mistakes) -> TokenStream {
    let Object { attrs, impl_token, generics, ty, brace, inner, items } = &blueprint.object;
    let sound = mistakes.is_empty();
    let items = items.iter().map(|item| expand_item(item, sound));
    let constructor = (!blueprint.has_constructor).then(|| constructor(private, blueprint, sound));
    let assertions = blueprint.handlers.iter().filter(|_| sound && !blueprint.methods.is_empty());
    let assertions = assertions.map(|handler| assertions::of_handler(handler, private));
    let caller = blueprint.has_caller.then(|| {
        let mut lints = lints(attrs);
        lints.push(parse_quote!(#[allow(unreachable_pub)]));
        let ident = format_ident!("{}Caller", blueprint.ident.unraw());
        typed_caller::expand(private, &blueprint.name.value(), &ident, lints, &blueprint.methods)
    });
    let agreement = Agreement {
        contract: blueprint.contract.as_ref(),
        ident: &blueprint.ident,
        attrs: &[],
        place: TokenStream::new(),
        handlers: &blueprint.handlers,
        methods: &blueprint.methods,
    };
    let (import, check) = agreement::expand(private, &agreement, sound).unzip();
    let mistakes = mistakes.into_tokens();
    let (parameters, _, clause) = generics.split_for_impl();
    let mut body = TokenStream::new();
    brace.surround(&mut body, |body| body.extend(quote!(#(#inner)* #(#items)* #constructor)));
    quote! {
        #(#attrs)*
        #impl_token #parameters #ty #clause #body
        #caller
        #(#assertions)*
        #import
        #check
        #mistakes
    }
}

fn expand_item(item: &ObjectItem, sound: bool) -> TokenStream {
    match item {
        ObjectItem::Handler(function) => {
            let mut function = function.clone();
            function.attrs.retain(|attribute| Kind::of(attribute).is_none());
            endpoint::mark_unrecognised(&mut function.attrs);
            // `async` selects where it runs, extractors are passed by value, and `&self` is required.
            function.attrs.push(
                parse_quote!(#[allow(clippy::unused_async, clippy::needless_pass_by_value, clippy::unused_self)]),
            );
            if !sound {
                function.attrs.push(parse_quote!(#[allow(dead_code)]));
            }
            quote!(#function)
        }
        ObjectItem::Function(function) => {
            let mut function = function.clone();
            endpoint::mark_unrecognised(&mut function.attrs);
            quote!(#function)
        }
        ObjectItem::Other(item) => quote!(#item),
    }
}

fn constructor(private: &Private, blueprint: &ObjectBlueprint, sound: bool) -> TokenStream {
    let p = private.here();
    let name = &blueprint.name;
    let doc = format!(
        "The blueprint `{}`: the handlers of this object, for `Daebus::register`. Takes the object or an `Arc` of it.",
        name.value()
    );
    let variable = Ident::new("blueprint", Span::mixed_site());
    let object = endpoint::object();
    let ty = &blueprint.object.ty;
    let bound = private.at(ty.span());
    // The compiler reports a bound that does not hold here, and takes it for granted within the function.
    let bound = quote_spanned!(ty.span()=> #ty: #bound::BlueprintObject);
    let mounts = blueprint.handlers.iter().filter(|_| sound).map(|handler| {
        let cfgs = cfgs(&handler.function.attrs);
        let endpoints = endpoint::mounted_endpoints(private, handler, &variable);
        quote! {
            #(#cfgs)*
            let #variable = {
                #(let #variable = #endpoints;)*
                #variable
            };
        }
    });
    let mounts: Vec<TokenStream> = mounts.collect();
    quote! {
        #[doc = #doc]
        #[allow(dead_code, deprecated, unreachable_pub)]
        pub fn blueprint(
            #object: impl #p::core::convert::Into<#p::std::sync::Arc<Self>>,
        ) -> #p::Blueprint
        where
            #bound,
        {
            let #object: #p::std::sync::Arc<Self> = #p::core::convert::Into::into(#object);
            let #variable = #p::Blueprint::new(#name);
            #(#mounts)*
            #p::core::mem::drop(#object);
            #variable
        }
    }
}
