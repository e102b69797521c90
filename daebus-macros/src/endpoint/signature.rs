//! What a handler's signature can't have.

use syn::visit_mut::{self, VisitMut};
use syn::{FnArg, GenericParam, Lifetime, ParenthesizedGenericArguments, Safety, Signature, Type, TypeFnPtr};

use super::spelling::payload_of;
use crate::diagnostics::Mistakes;

const INSTEAD: &str = "a handler is a free function whose arguments are extractors: \
                       `async fn get_user(Payload(query): Payload<GetUser>, State(db): State<Db>) -> Result<User, UserError>`";

/// Checks everything but the attributes. Gives the extractors' types.
pub(super) fn check(sig: &Signature, mistakes: &mut Mistakes) -> Vec<Type> {
    if let Safety::Unsafe(token) = &sig.safety {
        mistakes.on(
            token,
            "a handler can't be `unsafe`, since it is called by whoever sends a message; leave it out",
        );
    }
    if let Some(abi) = &sig.abi {
        mistakes.on(abi, "a handler is an ordinary Rust function; leave out `extern`");
    }
    if let Some(variadic) = &sig.variadic {
        mistakes.on(variadic, format!("`...` can't be extracted from a message; {INSTEAD}"));
    }
    for param in &sig.generics.params {
        let (what, token) = match param {
            GenericParam::Lifetime(param) => ("lifetime", &param.lifetime.ident),
            GenericParam::Type(param) => ("type", &param.ident),
            GenericParam::Const(param) => ("const", &param.ident),
        };
        let message = format!(
            "a handler can't have the {what} parameter `{token}`: a message doesn't say what to put in; write the type itself"
        );
        mistakes.on(param, message);
    }
    if let Some(clause) = &sig.generics.where_clause {
        mistakes.on(
            clause,
            "a handler has no type parameters, so there is nothing to say about them; leave it out",
        );
    }
    arguments(sig, mistakes)
}

fn arguments(sig: &Signature, mistakes: &mut Mistakes) -> Vec<Type> {
    let mut types: Vec<Type> = Vec::new();
    for argument in &sig.inputs {
        let argument = match argument {
            FnArg::Receiver(receiver) => {
                mistakes.on(
                    receiver,
                    format!("a handler has no `self`; what it works with comes in as `State<T>`, put there by `.state(T)`: {INSTEAD}"),
                );
                continue;
            }
            FnArg::Typed(argument) => argument,
        };
        if let Some(cfg) = argument.attrs.iter().find(|attribute| attribute.path().is_ident("cfg")) {
            mistakes.on(
                cfg,
                "`cfg` on an argument is not supported; put it on the function, and write a second one",
            );
        }
        if contains_impl_trait(&argument.ty) {
            mistakes.on(&argument.ty, format!("`impl Trait` doesn't say what to extract; {INSTEAD}"));
        } else if let Some(borrowed) = borrow_in(&argument.ty) {
            mistakes.on(
                borrowed,
                "an extractor owns what it gives, and nothing outlives the message to borrow from: write the owned type",
            );
        }
        if payload_of(&argument.ty).is_some() && types.iter().any(|ty| payload_of(ty).is_some()) {
            mistakes.on(
                &argument.ty,
                "a message has one payload, and an argument before this one takes it; put both into one struct",
            );
        }
        types.push((*argument.ty).clone());
    }
    types
}

/// Whether a type says `impl Trait` anywhere.
pub(crate) fn contains_impl_trait(ty: &Type) -> bool {
    struct Find(bool);
    impl VisitMut for Find {
        fn visit_type_mut(&mut self, ty: &mut Type) {
            self.0 |= matches!(ty, Type::ImplTrait(_));
            visit_mut::visit_type_mut(self, ty);
        }
    }
    let mut find = Find(false);
    find.visit_type_mut(&mut ty.clone());
    find.0
}

/// The first reference or lifetime in a type that isn't `'static`.
pub(crate) fn borrow_in(ty: &Type) -> Option<proc_macro2::TokenStream> {
    use quote::ToTokens as _;

    struct Find(Option<proc_macro2::TokenStream>);
    impl VisitMut for Find {
        fn visit_type_mut(&mut self, ty: &mut Type) {
            if let Type::Reference(reference) = ty
                && reference.lifetime.is_none()
            {
                self.0.get_or_insert(reference.to_token_stream());
            }
            visit_mut::visit_type_mut(self, ty);
        }

        fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
            if lifetime.ident != "static" {
                self.0.get_or_insert(lifetime.to_token_stream());
            }
        }

        // In `fn(&str)` and `Fn(&str)` the reference belongs to whoever calls.
        fn visit_type_fn_ptr_mut(&mut self, _: &mut TypeFnPtr) {}
        fn visit_parenthesized_generic_arguments_mut(&mut self, _: &mut ParenthesizedGenericArguments) {}
    }
    let mut find = Find(None);
    find.visit_type_mut(&mut ty.clone());
    find.0
}

/// Whether a type says `'static` anywhere.
pub(super) fn mentions_static(ty: &Type) -> bool {
    struct Find(bool);
    impl VisitMut for Find {
        fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
            self.0 |= lifetime.ident == "static";
        }
    }
    let mut find = Find(false);
    find.visit_type_mut(&mut ty.clone());
    find.0
}
