//! An item of a blueprint's module or `impl`. A function's body stays tokens.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::parse::{Parse, ParseStream};

use crate::attr::Kind;
use crate::endpoint::Function;

/// An item of a blueprint, in order. `I` is any other item.
pub(super) enum BlueprintItem<I> {
    /// A function that carries one of our attributes.
    Handler(Function),
    /// Any other function.
    Function(Function),
    Other(Box<I>),
}

impl<I: Parse> Parse for BlueprintItem<I> {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if !Function::is_next(input) {
            return input.parse().map(|item| Self::Other(Box::new(item)));
        }
        let function: Function = input.parse()?;
        let is_handler = function.attrs.iter().any(|attribute| Kind::of(attribute).is_some());
        Ok(if is_handler { Self::Handler(function) } else { Self::Function(function) })
    }
}

impl<I: ToTokens> ToTokens for BlueprintItem<I> {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Self::Handler(function) | Self::Function(function) => function.to_tokens(tokens),
            Self::Other(item) => item.to_tokens(tokens),
        }
    }
}
