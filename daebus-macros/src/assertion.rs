//! Assertions that a stub's types, guessed from their spelling, are what the compiler knows them to be.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Attribute, Type};

use crate::endpoint::Output;
use crate::private::Private;

/// That a return type is a `Result` exactly when it is spelled as one.
pub(crate) fn answer(
    name: &str,
    output: &Output,
    span: Span,
    attrs: &[Attribute],
    private: &Private,
) -> TokenStream {
    let ty = &output.ty;
    let p = private.at(span);
    let (holds, message) = if output.error.is_some() {
        (
            quote_spanned!(span=> #p::Probe::<#ty>::IS_RESULT),
            format!(
                "the return type of `{name}` reads like a `Result` and isn't one: give it another name, or say what \
                 a caller gets, `#[action(\"…\", answer = …)]`"
            ),
        )
    } else {
        (
            quote_spanned!(span=> !#p::Probe::<#ty>::IS_RESULT),
            format!(
                "the return type of `{name}` is a `Result` under another name: write `Result<T, E>`, or say what a \
                 caller gets, `#[action(\"…\", answer = T, error = E)]`"
            ),
        )
    };
    assert(&quote!(ProbeFallback), &holds, &message, span, attrs, private)
}

/// That a type can be the error of a handler, where no handler returns it.
pub(crate) fn error(ty: &TokenStream, attrs: &[Attribute], private: &Private) -> TokenStream {
    let p = private.at(ty.span());
    quote_spanned! {ty.span()=>
        #(#attrs)*
        const _: () = #p::is_error::<#ty>();
    }
}

/// An extractor that a stub goes by.
#[derive(Clone, Copy)]
pub(crate) enum Extractor {
    Payload,
    Progress,
    Incoming,
}

/// That an argument isn't one of these extractors under another name.
pub(crate) fn argument(
    name: &str,
    ty: &Type,
    extractor: Extractor,
    span: Span,
    attrs: &[Attribute],
    private: &Private,
) -> TokenStream {
    let p = private.at(span);
    let (probe, key, spelled) = match extractor {
        Extractor::Payload => ("IS_PAYLOAD", "payload", "Payload"),
        Extractor::Progress => ("IS_PROGRESS", "progress", "Progress"),
        Extractor::Incoming => ("IS_INCOMING", "caller's stream", "Incoming"),
    };
    let probe = Ident::new(probe, span);
    let holds = quote_spanned!(span=> !#p::ArgumentProbe::<#ty>::#probe);
    let message = match extractor {
        Extractor::Payload | Extractor::Progress => format!(
            "the {key} of `{name}` comes under another name: write `{spelled}<T>`, or say what it is, \
             `#[action(\"…\", {key} = T)]`"
        ),
        Extractor::Incoming => {
            format!("the {key} of `{name}` is under another name: write `{spelled}<T>`")
        }
    };
    assert(&quote!(ArgumentProbeFallback), &holds, &message, span, attrs, private)
}

fn assert(
    fallback: &TokenStream,
    holds: &TokenStream,
    message: &str,
    span: Span,
    attrs: &[Attribute],
    private: &Private,
) -> TokenStream {
    let p = private.at(span);
    quote_spanned! {span=>
        #(#attrs)*
        const _: () = {
            #[allow(unused_imports)]
            use #p::#fallback as _;
            #p::core::assert!(#holds, #message);
        };
    }
}
