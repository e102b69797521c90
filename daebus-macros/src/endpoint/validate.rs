//! Function and raw attributes → a checked handler.

use super::{marker, model::Handler, parse::Function, path_parameters, shadowing, signature, streams};
use crate::attr::{Checked, RawAttribute};
use crate::mistakes::Mistakes;

/// Checks a function with its attributes: `first`, which has called us, and its siblings among `function.attrs`.
/// What it gives can be expanded even when there were mistakes.
pub(crate) fn validate(first: Option<RawAttribute>, function: Function, mistakes: &mut Mistakes) -> Handler {
    let has_struct = shadowing::check(&function, mistakes) && function.sig.receiver().is_none();
    checked(first, function, has_struct, mistakes)
}

/// Checks a method of a blueprint's object with its attributes.
pub(crate) fn validate_method(mut function: Function, mistakes: &mut Mistakes) -> Handler {
    let before = mistakes.len();
    signature::take_receiver(&mut function.sig, mistakes);
    let has_receiver = mistakes.len() == before;
    let mut handler = checked(None, function, false, mistakes);
    handler.is_method = true;
    handler.signature_is_sound &= has_receiver;
    handler
}

fn checked(
    first: Option<RawAttribute>,
    mut function: Function,
    has_struct: bool,
    mistakes: &mut Mistakes,
) -> Handler {
    let is_marked = first.is_some() && marker::is_marked(&function.attrs);
    if let (Some(first), true) = (&first, is_marked) {
        let name = first.kind.name();
        mistakes.at(
            first.span,
            format!(
                "this is `{name}` under another name, so the attributes around it couldn't know it for what it is; \
                 write `#[{name}]` or `#[daebus::{name}]`"
            ),
        );
    }

    let is_collected = marker::take_collected(&mut function.attrs);
    let mut raw: Vec<RawAttribute> = first.into_iter().collect();
    let siblings = std::mem::take(&mut function.attrs);
    for attribute in siblings {
        match RawAttribute::of(&attribute, mistakes) {
            Some(sibling) => raw.push(sibling),
            None if crate::attr::Kind::of(&attribute).is_some() => {}
            None => function.attrs.push(attribute),
        }
    }
    let before = mistakes.len();
    let arguments = signature::check(&function.sig, mistakes);
    let signature_is_sound = mistakes.len() == before;
    let mut endpoints: Vec<Checked> = Vec::new();
    let mut root = None;
    for raw in raw {
        let Some(endpoint) = raw.check(&mut root, mistakes) else { continue };
        refuse_repeated(&endpoints, &endpoint, mistakes);
        if let Checked::Route(route) = &endpoint {
            path_parameters::check(route, &function.sig, mistakes);
        }
        endpoints.push(endpoint);
    }
    streams::check(&function.sig, &arguments, &endpoints, mistakes);
    // The struct of a function that was marked is there already, or nobody waits for it.
    let has_struct = has_struct && !is_marked;
    let is_method = false;
    Handler { function, root, endpoints, arguments, has_struct, is_method, is_collected, signature_is_sound }
}

/// The same thing said twice on one function would run it twice.
fn refuse_repeated(before: &[Checked], endpoint: &Checked, mistakes: &mut Mistakes) {
    for other in before {
        match (other, endpoint) {
            (Checked::Action(first), Checked::Action(second))
                if first.name.value() == second.name.value() && !first.name.value().is_empty() =>
            {
                mistakes
                    .on(&second.name, "the function answers to this name already; leave one of the two out");
            }
            (Checked::Listen(first), Checked::Listen(second)) if first.topic.is_same(&second.topic) => {
                mistakes
                    .on(second.topic.tokens(), "the function listens here already; leave one of the two out");
            }
            (Checked::Socket(first), Checked::Socket(second))
                if first.kind.value() == second.kind.value() =>
            {
                let message = format!(
                    "the function answers messages of the type `{}` already; leave one of the two out",
                    first.kind.value()
                );
                mistakes.on(&second.kind, message);
            }
            (Checked::SocketBinary(_), Checked::SocketBinary(second)) => {
                mistakes.on(
                    &second.kind,
                    "the function answers binary frames already; leave one `socket_binary` out",
                );
            }
            (Checked::Route(first), Checked::Route(second))
                if first.pattern.value() == second.pattern.value() =>
            {
                let message =
                    "the function has this path already; write all its `methods` into one of the two";
                mistakes.on(&second.pattern, message);
            }
            (Checked::Hook(first, _), Checked::Hook(second, span)) if first == second => {
                let name = second.name();
                mistakes.at(*span, format!("`{name}` is on this function twice; remove one of the two"));
            }
            (Checked::Background(first), Checked::Background(second))
                if first.name.value() == second.name.value() =>
            {
                mistakes.on(
                    &second.name,
                    "the function is this schedule already; give one of the two another name",
                );
            }
            (Checked::Thread(first), Checked::Thread(second))
                if first.name.value() == second.name.value() =>
            {
                mistakes.on(
                    &second.name,
                    "the function is this thread already; give one of the two another name",
                );
            }
            _ => {}
        }
    }
}
