//! A checked contract → the trait, the caller, and what a blueprint checks itself against. Can't fail.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens as _, format_ident, quote};
use syn::ext::IdentExt as _;
use syn::{Visibility, parse_quote};

use super::generated_names::{constant, on};
use super::model::{Contract, ContractAction, ContractEvent};
use crate::assertion;
use crate::inherited::lints;
use crate::mistakes::Mistakes;
use crate::names::hash;
use crate::private::Private;
use crate::stub::{self, Parameter, Stub};

pub(super) fn expand(private: &Private, contract: &Contract, mistakes: Mistakes) -> TokenStream {
    let mut item = contract.item.clone();
    let caller = format_ident!("{}Caller", item.ident.unraw());
    let note = format!("\n\nA contract: nobody implements it. [`{caller}`] calls it, a blueprint offers it.");
    item.attrs.push(parse_quote!(#[doc = #note]));
    // Nobody calls or implements these either, so none of the usual concerns apply.
    item.attrs.push(parse_quote!(#[allow(async_fn_in_trait, dead_code, clippy::too_many_arguments)]));
    let sound = mistakes.is_empty();
    let stub = stub(private, contract, &caller);
    let is_guess = |action: &&ContractAction| sound && action.output.is_guess && !action.has_answer;
    let assertions = contract.actions.iter().filter(is_guess).map(|action| {
        let name = action.method.ident.to_string();
        assertion::answer(&name, &action.output, action.output_span, &lints(&action.method.attrs), private)
    });
    let errors = contract.actions.iter().filter(|_| sound).filter_map(|action| {
        let error = action.method.error.as_ref()?;
        Some(assertion::error(error, &lints(&action.method.attrs), private))
    });
    let payloads =
        contract.distinct_actions().map(|action| payload_struct(private, contract, action, &caller));
    let agreement = agreement(private, contract, sound);
    let mistakes = mistakes.into_tokens();
    quote! {
        #item
        #stub
        #(#payloads)*
        #(#assertions)*
        #(#errors)*
        #agreement
        #mistakes
    }
}

fn stub(private: &Private, contract: &Contract, ident: &Ident) -> TokenStream {
    let p = private.here();
    let service = &contract.service;
    let doc =
        format!("Calls the service `{}`, with the types of [`{}`].", service.value(), contract.item.ident);
    let actions = contract.actions.iter().map(|action| action.method.expand(private));
    let events = contract.events.iter().map(|event| expand_event(private, event));
    let constants = contract.events.iter().map(|event| event_constant(private, event));
    let stub = Stub {
        doc,
        lints: lints(&contract.item.attrs),
        vis: contract.item.vis.to_token_stream(),
        ident,
        constructors: quote! {
            /// The service's name.
            pub const SERVICE: &'static str = #service;

            #(#constants)*

            /// Connects to the bus, to call the service.
            ///
            /// # Errors
            ///
            /// When the URL can't be used, or the bus can't be reached.
            pub async fn connect(url: &str) -> #p::core::result::Result<Self, #p::BusError> {
                #p::core::result::Result::map(#p::Caller::connect(url, Self::SERVICE).await, Self::new)
            }
        },
        methods: actions.chain(events).collect(),
    };
    stub.expand(private)
}

/// The struct that an action with several arguments has as its payload.
fn payload_struct(
    private: &Private,
    contract: &Contract,
    action: &ContractAction,
    caller: &Ident,
) -> Option<TokenStream> {
    let method = &action.method;
    let payload = method.payload.as_ref().filter(|_| !method.fields.is_empty())?;
    let p = private.here();
    let serde = format!("{p}::serde");
    let doc = format!(
        "The payload of the action `{}`: the arguments of [`{caller}::{}`].",
        method.action.value(),
        method.ident
    );
    let (ty, vis) = (&payload.ty, &contract.item.vis);
    let lints = lints(&method.attrs);
    let fields = method.fields.iter().map(|Parameter { name, ty }| quote!(#vis #name: #ty));
    Some(quote! {
        #[doc = #doc]
        #(#lints)*
        #[allow(missing_docs, missing_debug_implementations, missing_copy_implementations)]
        #[derive(#p::serde::Serialize, #p::serde::Deserialize)]
        #[serde(crate = #serde)]
        #vis struct #ty {
            #(#fields,)*
        }
    })
}

/// `user_event` as the constant `USER_EVENT`, which `#[listen(event = …)]` and `Broadcast::send_event` take.
fn event_constant(private: &Private, event: &ContractEvent) -> TokenStream {
    let p = private.here();
    let ContractEvent { attrs, ident, channel, payload } = event;
    let ty = &payload.ty;
    let name = constant(ident);
    let doc = format!("The event on the channel `{}`.", channel.value());
    let lints = lints(attrs);
    quote! {
        #[doc = #doc]
        #(#lints)*
        pub const #name: #p::Event<#ty> = #p::Event::new(#channel);
    }
}

fn expand_event(private: &Private, event: &ContractEvent) -> TokenStream {
    let p = private.here();
    let ContractEvent { attrs, ident, channel, payload } = event;
    let Parameter { name, ty } = payload;
    let hear = on(ident);
    let doc = format!("Hears what is published on the channel `{}`.", channel.value());
    quote! {
        #(#attrs)*
        ///
        /// # Errors
        ///
        /// When it can't be written as JSON, or the bus is away.
        pub async fn #ident(&self, #name: &#ty) -> #p::core::result::Result<#p::core::primitive::u64, #p::BusError> {
            #p::Caller::send_message(&self.caller, #channel, #name).await
        }

        #[doc = #doc]
        ///
        /// # Errors
        ///
        /// When the bus is away or refuses.
        pub async fn #hear(&self) -> #p::core::result::Result<#p::Listening<#ty>, #p::BusError> {
            #p::Caller::listen(&self.caller, #channel).await
        }
    }
}

/// What `#[blueprint("users", contract = Users)]` finds under the trait's path, wherever that was imported from: a
/// macro `Users!` with the names, which calls back, and a function `Users::<HASH>` with the types.
fn agreement(private: &Private, contract: &Contract, sound: bool) -> TokenStream {
    let p = private.here();
    let ident = &contract.item.ident;
    let vis = &contract.item.vis;
    let marker = format_ident!("__{}Contract", ident.unraw(), span = Span::call_site());
    let types = contract.distinct_actions().map(|action| types(private, action, &marker));
    let names = contract.distinct_actions().map(|action| {
        let (name, signature) = (&action.method.action, &action.signature);
        quote!([#name #signature])
    });
    let names: TokenStream = names.collect();
    let exported = exported_name(contract);
    let (export, macro_vis) = match vis {
        Visibility::Public(_) => (quote!(#[macro_export]), quote!(pub)),
        other => (quote!(), quote!(#other)),
    };
    // With mistakes in the contract there is no telling what a blueprint lacks.
    let body = sound.then(|| quote!($($callback)* ! { { #names } $($handlers)* }));
    quote! {
        #[doc(hidden)]
        #[allow(non_camel_case_types)]
        #vis struct #marker<const ACTION: #p::core::primitive::u64> {}

        #[doc(hidden)]
        #[allow(non_snake_case, dead_code)]
        #vis const fn #ident<const ACTION: #p::core::primitive::u64>() -> #marker<ACTION> {
            #marker {}
        }

        #(#types)*

        #[doc(hidden)]
        #export
        #[allow(unused_macros)]
        macro_rules! #exported {
            ({ $($callback:tt)* } $($handlers:tt)*) => { #body };
        }
        #[doc(hidden)]
        #[allow(unused_imports)]
        #macro_vis use #exported as #ident;
    }
}

/// The name of the macro that a contract exports, unique in its crate.
fn exported_name(contract: &Contract) -> Ident {
    /// How many contracts are counted. An editor's server expands each edited text in the same process.
    const LIMIT: usize = 4096;
    /// How many contracts of this crate have had the same text, by its hash: one service may be in two modules.
    static SEEN: Mutex<BTreeMap<u64, u32>> = Mutex::new(BTreeMap::new());
    let text = format!("{} {}", contract.service.value(), contract.item.to_token_stream());
    let hash = hash(&text);
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    if seen.len() >= LIMIT {
        seen.clear();
    }
    let copies = seen.entry(hash).or_default();
    *copies += 1;
    match *copies {
        1 => format_ident!("__daebus_contract_{hash:016x}"),
        copies => format_ident!("__daebus_contract_{hash:016x}_{copies}"),
    }
}

fn types(private: &Private, action: &ContractAction, marker: &Ident) -> TokenStream {
    let p = private.here();
    let name = &action.method.action;
    let key = hash(&name.value());
    let payload = action.method.compared_payload(private);
    let answer = action.method.compared_answer(private);
    let error = stub::remote(action.method.error.as_ref(), private);
    let progress = action.method.progress.clone().unwrap_or_else(|| quote!(#p::Value));
    let lints = lints(&action.method.attrs);
    quote! {
        #(#lints)*
        #[automatically_derived]
        impl #p::Action for #marker<#key> {
            const NAME: &'static str = #name;
            type Payload = #payload;
            type Answer = #answer;
            type Error = #error;
            type Progress = #progress;
        }
    }
}
