//! A contract, checked.

use proc_macro2::{Span, TokenStream};
use syn::{ItemTrait, LitStr};

use crate::endpoint::Output;
use crate::stub::{Method, Parameter};

pub(super) struct Contract {
    /// The trait as its author wrote it, without our attributes.
    pub(super) item: ItemTrait,
    pub(super) service: LitStr,
    pub(super) actions: Vec<ContractAction>,
    pub(super) events: Vec<ContractEvent>,
}

pub(super) struct ContractAction {
    pub(super) method: Method,
    /// A method before this one calls the same action.
    pub(super) is_alias: bool,
    /// The type of the answer is that of `answer = T`, not that of the function.
    pub(super) has_answer: bool,
    /// The signature of a handler, shown if a blueprint lacks it.
    pub(super) signature: String,
    pub(super) output: Output,
    pub(super) output_span: Span,
}

pub(super) struct ContractEvent {
    pub(super) attrs: Vec<syn::Attribute>,
    pub(super) ident: syn::Ident,
    pub(super) channel: LitStr,
    pub(super) payload: Parameter,
}

impl Contract {
    /// One method for each action.
    pub(super) fn distinct_actions(&self) -> impl Iterator<Item = &ContractAction> {
        self.actions.iter().filter(|action| !action.is_alias)
    }
}

impl ContractAction {
    /// Everything that methods for one action agree on, as it is written.
    pub(super) fn types(&self) -> String {
        let Method { answer, error, progress, fields, .. } = &self.method;
        let payload = self.payload();
        let fields = fields.iter().map(|Parameter { name, ty }| quote::quote!(#name: #ty));
        quote::quote!([#payload] [#answer] [#error] [#progress] [#(#fields)*]).to_string()
    }

    pub(super) fn payload(&self) -> TokenStream {
        self.method.payload.as_ref().map_or_else(|| quote::quote!(()), |payload| payload.ty.clone())
    }
}
