//! The assertions about one handler.

use proc_macro2::TokenStream;
use quote::ToTokens as _;
use syn::spanned::Spanned as _;

use crate::assertion::{self, Extractor};
use crate::endpoint::{self, Handler};
use crate::inherited::inherited;
use crate::private::Private;

/// One assertion for each guess about a handler that answers an action.
pub(super) fn of_handler(handler: &Handler, private: &Private) -> TokenStream {
    let Some(action) = handler.actions().next().filter(|_| handler.signature_is_sound) else {
        return TokenStream::new();
    };
    let attrs = inherited(&handler.function.attrs);
    let name = handler.name();
    let mut assertions = TokenStream::new();
    if let Some(error) = &action.types.error {
        assertions.extend(assertion::error(&error.to_token_stream(), &attrs, private));
    }
    let output = endpoint::output_of(&handler.function.sig.output, private);
    if let (None, syn::ReturnType::Type(_, ty), true) =
        (&action.types.answer, &handler.function.sig.output, output.is_guess)
    {
        let span = ty.span();
        assertions.extend(assertion::answer(&name, &output, span, &attrs, private));
    }
    let mut refuse = |ty, extractor| {
        assertions.extend(assertion::argument(&name, ty, extractor, ty.span(), &attrs, private));
    };
    for ty in &handler.arguments {
        if endpoint::payload_of(ty).is_none() && action.types.payload.is_none() {
            refuse(ty, Extractor::Payload);
        }
        if endpoint::progress_of(ty).is_none() && action.types.progress.is_none() {
            refuse(ty, Extractor::Progress);
        }
        if endpoint::incoming_of(ty).is_none() {
            refuse(ty, Extractor::Incoming);
        }
    }
    assertions
}
