//! Arguments that are extractors: declared once where the handler is mounted, extracted by each call.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::Type;
use syn::spanned::Spanned as _;

use crate::private::Private;

/// The variable that stands for an argument: first for its declaration, then for its value.
pub(super) fn variable(at: usize) -> Ident {
    format_ident!("argument{at}", span = Span::mixed_site())
}

/// The arguments of one handler that are extractors.
pub(super) struct Extracted<'a> {
    pub(super) arguments: Vec<(Ident, &'a Type)>,
    /// Collects what the arguments need at start-up.
    needs: Ident,
}

impl<'a> Extracted<'a> {
    pub(super) fn new(arguments: Vec<(Ident, &'a Type)>) -> Self {
        Self { arguments, needs: Ident::new("needs", Span::mixed_site()) }
    }

    /// Statements that declare each argument. `declare` is the path of the function that checks its type, the one
    /// place where a bound on this type is checked: a wrong argument is one error.
    pub(super) fn declare(&self, private: &Private, declare: impl Fn(&Type) -> TokenStream) -> TokenStream {
        if self.arguments.is_empty() {
            return TokenStream::new();
        }
        let p = private.here();
        let needs = &self.needs;
        let declared = self.arguments.iter().map(|(variable, ty)| {
            let declare = declare(ty);
            quote_spanned!(ty.span()=> let #variable = #declare(&mut #needs);)
        });
        quote! {
            let mut #needs = <#p::Needs as #p::core::default::Default>::default();
            #(#declared)*
        }
    }

    /// The expression of what the arguments need at start-up, after their declaration.
    pub(super) fn needs(&self, private: &Private) -> TokenStream {
        if self.arguments.is_empty() {
            let p = private.here();
            return quote!(<#p::Needs as #p::core::default::Default>::default());
        }
        let needs = &self.needs;
        quote!(#needs)
    }

    /// Statements that extract each argument from `message`.
    pub(super) fn extract(&self, private: &Private, message: &Ident) -> TokenStream {
        if self.arguments.is_empty() {
            return TokenStream::new();
        }
        let extracted = self.arguments.iter().map(|(variable, ty)| {
            let p = private.at(ty.span());
            quote_spanned!(ty.span()=> let #variable = #p::Argument::extract(#variable, &mut #message).await?;)
        });
        quote! {
            let mut #message = #message;
            #(#extracted)*
        }
    }
}
