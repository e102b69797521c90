//! The source position of a handler.

use proc_macro2::TokenStream;
use quote::quote_spanned;

use crate::endpoint::model::Handler;
use crate::private::Private;

/// Where the function stands: start-up lines and collisions show it, so the place is the user's, not the attribute's.
pub(super) fn source(private: &Private, handler: &Handler) -> TokenStream {
    let ident = &handler.function.sig.ident;
    let name = handler.name();
    let span = ident.span();
    let p = private.at(span);
    quote_spanned! {span=>
        #p::Source::new(#name, #p::core::module_path!(), #p::core::file!(), #p::core::line!())
    }
}
