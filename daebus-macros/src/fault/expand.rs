//! A checked error type → `IntoFault` and `FromFault`. Can't fail.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;

use super::model::{ErrorType, Fault, Variant};
use crate::private::Private;

pub(super) fn expand(private: &Private, error: &ErrorType) -> TokenStream {
    let ident = &error.ident;
    // What serde or `Display` lacks shows up at the type's name.
    let span = Span::call_site().located_at(ident.span());
    let p = private.at(span);
    let codes = error.codes();
    let fault = Ident::new("fault", Span::mixed_site());
    let inner = &Ident::new("inner", Span::mixed_site());
    let faults = arms(error, inner, |variant| match &variant.fault {
        Fault::Internal => quote!(#p::Fault::internal()),
        Fault::Transparent { ty, .. } => {
            let p = private.at(ty.span());
            quote_spanned!(ty.span()=> <#ty as #p::IntoFault>::into_fault(#inner))
        }
        Fault::Own { code, status } => quote_spanned!(span=> #p::fault_of(&self, #code, #status)),
    });
    let insides = arms(error, inner, |variant| match &variant.fault {
        Fault::Internal => quote_spanned!(span=> #p::core::option::Option::Some(#p::chain(self))),
        Fault::Transparent { ty, .. } => {
            let p = private.at(ty.span());
            quote_spanned!(ty.span()=> <#ty as #p::IntoFault>::internal_reason(#inner))
        }
        Fault::Own { .. } => quote!(#p::core::option::Option::None),
    });
    // An enum without variants: there is nothing that a reference could point to.
    let faults = match_on(error, quote!(self), quote!(self), &faults);
    let insides = match_on(error, quote!(self), quote!(*self), &insides);
    let own_codes = quote!(&[#(#codes),*]);
    let all_codes = all_codes(private, error, &own_codes);
    let read = read(private, error, &own_codes, &fault);
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
            const CODES: &'static [&'static #p::core::primitive::str] = #all_codes;

            fn from_fault(#fault: #p::Fault) -> #p::core::result::Result<Self, #p::Fault> {
                #read
            }
        }
    }
}

fn arms(error: &ErrorType, inner: &Ident, value: impl Fn(&Variant) -> TokenStream) -> Vec<TokenStream> {
    let arms = error.variants.iter().map(|variant| {
        let value = value(variant);
        let constructor = constructor(variant);
        match &variant.fault {
            Fault::Transparent { member, .. } => quote!(#constructor { #member: #inner } => #value,),
            _ => quote!(#constructor { .. } => #value,),
        }
    });
    arms.collect()
}

fn constructor(variant: &Variant) -> TokenStream {
    match &variant.ident {
        Some(ident) => quote!(Self::#ident),
        None => quote!(Self),
    }
}

/// The body of `from_fault`: the type's own codes first, then each transparent variant.
fn read(private: &Private, error: &ErrorType, codes: &TokenStream, fault: &Ident) -> TokenStream {
    let span = Span::call_site().located_at(error.ident.span());
    let p = private.at(span);
    if error.transparent().next().is_none() {
        return quote_spanned!(span=> #p::error_of(#fault, #codes));
    }
    let inner = Ident::new("inner", Span::mixed_site());
    let transparent = error.transparent().map(|(variant, member, ty)| {
        let p = private.at(ty.span());
        let constructor = constructor(variant);
        quote_spanned! {ty.span()=>
            let #fault = match <#ty as #p::FromFault>::from_fault(#fault) {
                #p::core::result::Result::Ok(#inner) => {
                    return #p::core::result::Result::Ok(#constructor { #member: #inner });
                }
                #p::core::result::Result::Err(#fault) => #fault,
            };
        }
    });
    // Not even one variant with a code of its own: then the type need not be read from details.
    let own = (!error.codes().is_empty()).then(|| {
        quote_spanned! {span=>
            let #fault = match #p::error_of(#fault, #codes) {
                #p::core::result::Result::Ok(#inner) => return #p::core::result::Result::Ok(#inner),
                #p::core::result::Result::Err(#fault) => #fault,
            };
        }
    });
    quote! {
        #own
        #(#transparent)*
        #p::core::result::Result::Err(#fault)
    }
}

/// All codes: the type's own, and those of the faults in transparent variants.
fn all_codes(private: &Private, error: &ErrorType, own: &TokenStream) -> TokenStream {
    if error.transparent().next().is_none() {
        return own.clone();
    }
    let p = private.at(Span::call_site().located_at(error.ident.span()));
    let transparent = error.transparent().map(|(_, _, ty)| {
        let p = private.at(ty.span());
        quote_spanned!(ty.span()=> <#ty as #p::FromFault>::CODES)
    });
    quote! {{
        const CODES: &[&[&#p::core::primitive::str]] = &[#own, #(#transparent),*];
        const ALL: [&#p::core::primitive::str; #p::count(CODES)] = #p::concat(CODES);
        &ALL
    }}
}

fn match_on(error: &ErrorType, full: TokenStream, empty: TokenStream, arms: &[TokenStream]) -> TokenStream {
    let value = if error.variants.is_empty() { empty } else { full };
    quote!(match #value { #(#arms)* })
}
