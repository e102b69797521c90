//! What a handler's signature can't have.

use syn::{FnArg, GenericParam, Receiver, ReceiverKind, Safety, Signature, Type};

use super::spelling::{incoming_of, payload_of, stream_item_of};
use super::type_contents::{borrow_in, contains_impl_trait};
use crate::mistakes::Mistakes;

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
    // With a parameter, the clause goes with it.
    if let Some(clause) = sig.generics.where_clause.as_ref().filter(|_| sig.generics.params.is_empty()) {
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
                refuse_receiver(receiver, mistakes);
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
        if stream_item_of(&argument.ty).is_some() {
            mistakes.on(&argument.ty, "the caller's stream is the argument `items: Incoming<T>`");
        } else if contains_impl_trait(&argument.ty) {
            mistakes.on(&argument.ty, format!("`impl Trait` doesn't say what to extract; {INSTEAD}"));
        } else if let Some(borrowed) = borrow_in(&argument.ty, &sig.generics) {
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
        if incoming_of(&argument.ty).is_some() && types.iter().any(|ty| incoming_of(ty).is_some()) {
            mistakes.on(
                &argument.ty,
                "a caller sends one stream, and an argument before this one takes it; make its items an enum",
            );
        }
        types.push((*argument.ty).clone());
    }
    types
}

/// Takes the `&self` of a method away, and reports any other `self` or none.
pub(super) fn take_receiver(sig: &mut Signature, mistakes: &mut Mistakes) {
    const METHOD_EXAMPLE: &str = "`async fn add(&self, Payload(item): Payload<Item>) -> u32`";
    match sig.receiver() {
        Some(receiver) if matches!(receiver.kind, ReceiverKind::Reference(_, None, None)) => {}
        Some(receiver) => mistakes.on(
            receiver,
            format!(
                "a handler takes `&self`, since several messages are handled at the same time; keep what changes in a \
                 `Mutex` or an atomic: {METHOD_EXAMPLE}"
            ),
        ),
        None => mistakes.on(
            &sig.ident,
            format!(
                "a handler in an `impl` takes `&self`: {METHOD_EXAMPLE}; a handler without it belongs into a module: \
                 `#[blueprint(\"…\")] mod`"
            ),
        ),
    }
    let inputs = std::mem::take(&mut sig.inputs);
    sig.inputs = inputs.into_iter().filter(|input| matches!(input, FnArg::Typed(_))).collect();
}

/// Reports a `self`.
pub(crate) fn refuse_receiver(receiver: &Receiver, mistakes: &mut Mistakes) {
    mistakes.on(
        receiver,
        format!("a handler has no `self`, unless `#[blueprint(\"…\")]` is on the `impl`; take what it works with as `State<T>`, which `.state(T)` provides: {INSTEAD}"),
    );
}
