//! A checked error type → `IntoFault` and `FromFault`. Can't fail.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};

use super::model::{ErrorType, Fault, Variant};
use crate::private::Private;

pub(super) fn expand(private: &Private, error: &ErrorType) -> TokenStream {
    let ident = &error.ident;
    // What serde or `Display` lacks shows up at the type's name.
    let span = Span::call_site().located_at(ident.span());
    let p = private.at(span);
    let codes = error.codes();
    let fault = Ident::new("fault", Span::mixed_site());
    let faults = arms(error, |variant| match &variant.fault {
        Fault::Internal => quote!(#p::Fault::internal()),
        Fault::Own { code, status } => quote_spanned!(span=> #p::fault_of(&self, #code, #status)),
    });
    let insides = arms(error, |variant| match &variant.fault {
        Fault::Internal => quote_spanned!(span=> #p::core::option::Option::Some(#p::chain(self))),
        Fault::Own { .. } => quote!(#p::core::option::Option::None),
    });
    // An enum without variants: there is nothing that a reference could point to.
    let faults = match_on(error, quote!(&self), quote!(self), &faults);
    let insides = match_on(error, quote!(self), quote!(*self), &insides);
    quote_spanned! {span=>
        #[automatically_derived]
        #[allow(deprecated)]
        impl #p::IntoFault for #ident {
            type Remote = Self;

            fn into_fault(self) -> #p::Fault {
                #faults
            }

            fn internal_reason(&self) -> #p::core::option::Option<#p::std::string::String> {
                #insides
            }
        }

        #[automatically_derived]
        #[allow(deprecated)]
        impl #p::FromFault for #ident {
            const CODES: &'static [&'static str] = &[#(#codes),*];

            fn from_fault(#fault: #p::Fault) -> #p::core::result::Result<Self, #p::Fault> {
                #p::error_of(#fault, <Self as #p::FromFault>::CODES)
            }
        }
    }
}

fn arms(error: &ErrorType, value: impl Fn(&Variant) -> TokenStream) -> Vec<TokenStream> {
    let arms = error.variants.iter().map(|variant| {
        let value = value(variant);
        match &variant.ident {
            Some(ident) => quote!(Self::#ident { .. } => #value,),
            None => quote!(Self { .. } => #value,),
        }
    });
    arms.collect()
}

fn match_on(error: &ErrorType, full: TokenStream, empty: TokenStream, arms: &[TokenStream]) -> TokenStream {
    let value = if error.variants.is_empty() { empty } else { full };
    quote!(match #value { #(#arms)* })
}
