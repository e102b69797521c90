//! The typed caller of a blueprint.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::Attribute;

use crate::private::Private;
use crate::stub::{Method, Stub};

/// A struct `ident` that calls the actions of the blueprint `name`.
pub(super) fn expand(
    private: &Private,
    name: &str,
    ident: &Ident,
    lints: Vec<Attribute>,
    methods: &[(usize, Method)],
) -> TokenStream {
    let p = private.here();
    let stub = Stub {
        doc: format!("Calls the actions of the blueprint `{name}`, with their types."),
        lints,
        vis: quote!(pub),
        ident,
        constructors: quote! {
            /// Connects to the bus, to call the service of this name.
            ///
            /// # Errors
            ///
            /// When the URL or the service's name can't be used, or the bus can't be reached.
            pub async fn connect(url: &str, service: &str) -> #p::core::result::Result<Self, #p::BusError> {
                #p::core::result::Result::map(#p::Caller::connect(url, service).await, Self::new)
            }
        },
        methods: methods.iter().map(|(_, method)| method.expand(private)).collect(),
    };
    stub.expand(private)
}
