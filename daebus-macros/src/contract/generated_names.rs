//! The names of what a contract generates.

use heck::ToUpperCamelCase as _;
use proc_macro2::Ident;
use syn::ext::IdentExt as _;

/// `user_event` → `on_user_event`.
pub(super) fn on(event: &Ident) -> Ident {
    quote::format_ident!("on_{}", event.unraw(), span = event.span())
}

/// `user_event` → `USER_EVENT`.
pub(super) fn constant(event: &Ident) -> Ident {
    Ident::new(&event.unraw().to_string().to_uppercase(), event.span())
}

/// `add` of `Users` → `UsersAdd`.
pub(super) fn payload_name(contract: &Ident, action: &Ident) -> Ident {
    let action_name = action.unraw().to_string().to_upper_camel_case();
    quote::format_ident!("{}{action_name}", contract.unraw(), span = action.span())
}

/// What the caller has for an event, beside the method of its own name.
pub(super) fn names_of_event(event: &Ident) -> [String; 2] {
    [on(event).to_string(), constant(event).to_string()]
}
