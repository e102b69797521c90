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
    /// What a handler looks like, for whoever forgot to write it.
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

impl ContractAction {
    pub(super) fn payload(&self) -> TokenStream {
        self.method.payload.as_ref().map_or_else(|| quote::quote!(()), |payload| payload.ty.clone())
    }
}
