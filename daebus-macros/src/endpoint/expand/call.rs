//! The call of a handler's function, by its name or as a method of the blueprint's object.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

use crate::endpoint::model::Handler;
use crate::private::Private;

/// The variable of the object whose methods are handlers.
pub(crate) fn object() -> Ident {
    Ident::new("object", Span::mixed_site())
}

/// The call with these arguments.
pub(super) fn call(handler: &Handler, arguments: &[&Ident]) -> TokenStream {
    let ident = &handler.function.sig.ident;
    if handler.is_method {
        let object = object();
        quote!(Self::#ident(&#object #(, #arguments)*))
    } else {
        quote!(#ident(#(#arguments),*))
    }
}

/// The closure that runs for each message. A method's closure has the object.
pub(super) fn closure(
    private: &Private,
    handler: &Handler,
    message: &Ident,
    ty: &TokenStream,
    body: &TokenStream,
) -> TokenStream {
    if !handler.is_method {
        return quote!(move |#message: #ty| async move { #body });
    }
    let p = private.here();
    let object = object();
    let shared = quote!(let #object = #p::core::clone::Clone::clone(&#object););
    quote! {{
        #shared
        move |#message: #ty| {
            #shared
            async move { #body }
        }
    }}
}
