//! Assertions that a stub's types, guessed from their spelling, are what the compiler knows them to be.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;

use crate::endpoint::{self, Handler};
use crate::paths::Private;

/// One assertion for each guess about a handler that answers an action.
pub(super) fn assertions(handler: &Handler, private: &Private) -> TokenStream {
    let Some(action) = handler.actions().next().filter(|_| handler.signature_is_sound) else {
        return TokenStream::new();
    };
    let cfgs = endpoint::cfgs(&handler.function.attrs);
    let name = handler.name();
    let mut assertions = TokenStream::new();
    let output = endpoint::output_of(&handler.function.sig.output, private);
    if action.types.answer.is_none() && !output.is_opaque {
        let (ty, span) = (&output.ty, handler.function.sig.output.span());
        let p = private.at(span);
        let (holds, message) = if output.error.is_some() {
            (
                quote_spanned!(span=> #p::Probe::<#ty>::IS_RESULT),
                format!(
                    "the answer of `{name}` reads like a `Result` and isn't one: say what a caller gets, `answer = …` in `#[action(…)]`"
                ),
            )
        } else {
            (
                quote_spanned!(span=> !#p::Probe::<#ty>::IS_RESULT),
                format!(
                    "the answer of `{name}` is a `Result` under another name: write `Result<T, E>`, or say what a caller gets, `answer = T, error = E` in `#[action(…)]`"
                ),
            )
        };
        assertions.extend(quote_spanned! {span=>
            #(#cfgs)*
            const _: () = {
                #[allow(unused_imports)]
                use #p::ProbeFallback as _;
                #p::core::assert!(#holds, #message);
            };
        });
    }
    for ty in &handler.arguments {
        let span = ty.span();
        let p = private.at(span);
        let mut refuse = |probe: &str, message: String| {
            let probe = syn::Ident::new(probe, span);
            assertions.extend(quote_spanned! {span=>
                #(#cfgs)*
                const _: () = {
                    #[allow(unused_imports)]
                    use #p::ArgumentProbeFallback as _;
                    #p::core::assert!(!#p::ArgumentProbe::<#ty>::#probe, #message);
                };
            });
        };
        if endpoint::payload_of(ty).is_none() && action.types.payload.is_none() {
            refuse(
                "IS_PAYLOAD",
                format!(
                    "the payload of `{name}` comes under another name: write `Payload<T>`, or say what a caller sends, `payload = T` in `#[action(…)]`"
                ),
            );
        }
        if endpoint::progress_of(ty).is_none() && action.types.progress.is_none() {
            refuse(
                "IS_PROGRESS",
                format!(
                    "the progress of `{name}` comes under another name: write `Progress<T>`, or say what a caller hears, `progress = T` in `#[action(…)]`"
                ),
            );
        }
    }
    quote!(#assertions)
}
