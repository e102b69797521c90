//! A contract, checked.

use proc_macro2::{Span, TokenStream};
use syn::{ItemTrait, LitStr};

use crate::endpoint::Output;
use crate::stub::{Method, Parameter, SessionForm};

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
        let Method { answer, error, progress, fields, session, .. } = &self.method;
        let payload = self.payload();
        let fields = fields.iter().map(|Parameter { name, ty }| quote::quote!(#name: #ty));
        let form = match session {
            None => quote::quote!(),
            Some(SessionForm::Streams { incoming }) => {
                let incoming = incoming.as_ref().map(|incoming| &incoming.ty);
                quote::quote!(Streams #incoming)
            }
            Some(SessionForm::Takes { incoming: Parameter { ty, .. } }) => quote::quote!(Takes #ty),
            Some(SessionForm::Workflow { tell, ask }) => quote::quote!(Workflow [#tell] [#ask]),
            Some(SessionForm::Each { items: Parameter { ty, .. } }) => quote::quote!(Each #ty),
        };
        quote::quote!([#payload] [#answer] [#error] [#progress] [#(#fields)*] [#form]).to_string()
    }

    fn payload(&self) -> TokenStream {
        self.method.payload.as_ref().map_or_else(|| quote::quote!(()), |payload| payload.ty.clone())
    }

    /// The type of the items, if each is sent to the action.
    pub(super) fn each(&self) -> Option<&TokenStream> {
        match &self.method.session {
            Some(SessionForm::Each { items }) => Some(&items.ty),
            _ => None,
        }
    }

    /// Whether a method and an ordinary method for one action send the same type.
    pub(super) fn sends_items_of(&self, ordinary: &Self) -> bool {
        let sends = |items: &TokenStream| {
            ordinary.each().is_none() && items.to_string() == ordinary.payload().to_string()
        };
        self.each().is_some_and(sends)
    }
}
