//! A checked blueprint → the module, with `blueprint()` and `Caller` in it. Can't fail.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::quote;
use syn::parse_quote;

use super::agreement::{self, Agreement};
use super::model::Blueprint;
use super::parse::{Module, ModuleItem};
use super::{assertions, file_module, typed_caller};
use crate::attr::Kind;
use crate::endpoint::{self, Function};
use crate::inherited::cfgs;
use crate::mistakes::Mistakes;
use crate::private::Private;

pub(super) fn expand(private: &Private, blueprint: &Blueprint, mistakes: Mistakes) -> TokenStream {
    let Module { attrs, vis, mod_token, brace, ident, inner, items } = &blueprint.module;
    let calls_macros = items.iter().any(ModuleItem::is_macro_call);
    // A module without a handler has been reported, and a handler from a macro call would be a second error.
    let place = (calls_macros && !blueprint.handlers.is_empty()).then(|| place(private));
    let items = items.iter().map(|item| match item {
        ModuleItem::Function(function) => {
            let mut function = function.clone();
            endpoint::mark_unrecognised(&mut function.attrs);
            quote!(#function)
        }
        ModuleItem::Handler(function) => {
            let mut function = without_receiver(private, function).unwrap_or_else(|| function.clone());
            if blueprint.shadowing.contains(&function.sig.ident) {
                function.attrs.retain(|attribute| Kind::of(attribute).is_none());
                function.attrs.push(parse_quote!(#[allow(dead_code)]));
            }
            if calls_macros {
                endpoint::mark_collected(&mut function.attrs);
            }
            quote!(#function)
        }
        ModuleItem::Other(item) => quote!(#item),
    });
    // With a mistake in a handler, an assertion about its types would be a second error.
    let sound = mistakes.is_empty() && blueprint.handlers_are_sound;
    let assertions = blueprint.handlers.iter().filter(|_| sound && !blueprint.methods.is_empty());
    let assertions = assertions.map(|handler| assertions::of_handler(handler, private));
    let constructor = (!blueprint.taken.blueprint).then(|| constructor(private, blueprint));
    let stub = (blueprint.taken.has_caller && !blueprint.taken.caller).then(|| {
        let ident = Ident::new("Caller", Span::call_site());
        typed_caller::expand(private, &blueprint.name.value(), &ident, Vec::new(), &blueprint.methods)
    });
    let agreement = Agreement {
        contract: blueprint.contract.as_ref(),
        ident,
        attrs,
        place: quote!(super::),
        handlers: &blueprint.handlers,
        methods: &blueprint.methods,
    };
    let (import, check) = agreement::expand(private, &agreement, sound).unzip();
    let advice = blueprint.module.items.iter().filter_map(|item| {
        let ident = item.name_of_file_module()?;
        let why = format!("the body of `{ident}` is in another file: declare `{ident}` outside, and");
        Some(file_module::advice(ident, &why))
    });
    let advice: TokenStream = advice.collect();
    let mistakes = mistakes.into_tokens();
    let content = quote! {
        #(#inner)*
        #place
        #(#items)*
        #constructor
        #stub
        #(#assertions)*
        #check
    };
    // The user's own braces: what the compiler has to say about the module points at the module.
    let mut body = TokenStream::new();
    brace.surround(&mut body, |body| body.extend(content));
    quote! {
        #(#attrs)*
        #vis #mod_token #ident #body
        #import
        #advice
        #mistakes
    }
}

/// `self` is reported by validation; left in, the compiler would report it a second time.
fn without_receiver(private: &Private, function: &Function) -> Option<Function> {
    let p = private.here();
    let body = Group::new(Delimiter::Brace, quote!(#p::core::panic!()));
    function.without_receiver(TokenTree::Group(body))
}

/// What a handler in this module finds that a macro call produces: it reports that it isn't collected.
fn place(private: &Private) -> TokenStream {
    let p = private.here();
    quote! {
        #[doc(hidden)]
        struct __DaebusPlace;

        impl #p::BlueprintPath for __DaebusPlace {
            const PATH: &'static #p::core::primitive::str = #p::core::module_path!();
        }

        #[doc(hidden)]
        #[allow(dead_code)]
        trait __DaebusBlueprint: #p::core::marker::Sized {
            fn daebus_place(self) -> __DaebusPlace {
                __DaebusPlace
            }
        }

        impl __DaebusBlueprint for #p::HandlerPlace {}
    }
}

fn constructor(private: &Private, blueprint: &Blueprint) -> TokenStream {
    let p = private.here();
    let name = &blueprint.name;
    let doc =
        format!("The blueprint `{}`: the handlers of this module, for `Daebus::register`.", name.value());
    let variable = Ident::new("blueprint", Span::mixed_site());
    let mounts = blueprint.mounted().map(|(handler, ident)| {
        let cfgs = cfgs(&handler.function.attrs);
        quote! {
            #(#cfgs)*
            let #variable = #p::Blueprint::mount::<#ident>(#variable);
        }
    });
    quote! {
        #[doc = #doc]
        #[allow(dead_code)]
        pub fn blueprint() -> #p::Blueprint {
            let #variable = #p::Blueprint::new(#name);
            #(#mounts)*
            #variable
        }
    }
}
