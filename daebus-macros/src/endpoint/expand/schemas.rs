//! Asks the compiler which of a handler's types derive `JsonSchema`. A type that doesn't has no schema, and is no error.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{ReturnType, Type};

use crate::attr::Checked;
use crate::endpoint::model::Handler;
use crate::endpoint::spelling::output_of;
use crate::endpoint::type_contents::contains_impl_trait;
use crate::private::Private;

/// The builder call that gives a definition its schemas. Hooks, schedules and threads have neither a payload nor an answer.
pub(super) fn schemas(private: &Private, handler: &Handler, endpoint: &Checked) -> Option<TokenStream> {
    let types = match endpoint {
        Checked::Action(action) => Some(&action.types),
        Checked::Listen(_) | Checked::Socket(_) => None,
        _ => return None,
    };
    let probe = |ty: &Type, constant: &str| {
        let p = private.at(ty.span());
        let constant = syn::Ident::new(constant, ty.span());
        quote_spanned!(ty.span()=> #p::SchemaProbe::<#ty>::#constant)
    };
    let arguments = handler.arguments.iter().map(|ty| {
        let schema = probe(ty, "ARGUMENT");
        quote!(.argument(#schema))
    });
    let output = output_of(&handler.function.sig.output, private);
    let returned = match (&handler.function.sig.output, endpoint) {
        (_, Checked::Listen(_)) | (ReturnType::Default, _) => None,
        (ReturnType::Type(..), _) if output.stream.is_some() => {
            let item = |ty: &TokenStream| {
                let p = private.at(ty.span());
                quote_spanned!(ty.span()=> #p::SchemaProbe::<#ty>::SENT)
            };
            let (answer, error) = (item(&output.answer), output.error.as_ref().map(item));
            let error = error.map(|error| quote!(.error(#error)));
            Some(quote!(.answer(#answer) #error))
        }
        (ReturnType::Type(_, ty), _) => (!contains_impl_trait(ty)).then(|| {
            let (ok, sent, err) = (probe(ty, "OK"), probe(ty, "SENT"), probe(ty, "ERR"));
            // A `Result` may have a schema of its own, which isn't that of the answer.
            quote!(.answer(#ok.or(#sent)).error(#err))
        }),
    };
    let said = types.map(|types| {
        let payload = types.payload.as_ref().map(|ty| (quote!(payload), probe(ty, "RECEIVED")));
        let progress = types.progress.as_ref().map(|ty| (quote!(progress), probe(ty, "SENT")));
        let answer = types.answer.as_ref().map(|ty| (quote!(answer), probe(ty, "SENT")));
        let error = types.error.as_ref().map(|ty| (quote!(error), probe(ty, "SENT")));
        let said = [payload, progress, answer, error].into_iter().flatten();
        said.map(|(method, schema)| quote!(.#method(#schema))).collect::<TokenStream>()
    });
    let p = private.here();
    let calls = quote!(#(#arguments)* #returned #said);
    if calls.is_empty() {
        return None;
    }
    Some(quote! {
        .schemas({
            #[allow(unused_imports)]
            use #p::SchemaProbeFallback as _;
            <#p::Schemas as #p::core::default::Default>::default() #calls
        })
    })
}
