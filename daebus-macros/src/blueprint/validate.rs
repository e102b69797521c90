//! Arguments and module → a checked blueprint.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{FnArg, Ident, LitStr, ReturnType};

use super::model::Blueprint;
use super::parse::{Module, ModuleItem};
use super::scope;
use crate::attr::{Arguments, Checked, WorkflowTypes};
use crate::endpoint::{self, Handler};
use crate::inherited::cfgs;
use crate::mistakes::Mistakes;
use crate::names;
use crate::private::Private;
use crate::stub::{self, Method, Parameter, SessionForm};

/// Checks what concerns the module. What is wrong with one handler is reported by that handler's own attribute.
pub(super) fn validate(
    mut arguments: Arguments,
    module: Module,
    private: &Private,
    mistakes: &mut Mistakes,
) -> Blueprint {
    let name = arguments.name("the blueprint", &format!("\"{}\"", module.ident), mistakes);
    let contract = arguments.path("contract", "the trait that carries `#[contract]`", "Users", mistakes);
    let has_caller = arguments.truth("caller", mistakes).unwrap_or(true);
    arguments.finish(mistakes);
    let name = name
        .map_or_else(|| LitStr::new("", module.ident.span()), |name| checked_blueprint_name(name, mistakes));

    let taken = scope::check(&module.items, has_caller, mistakes);
    let mut of_handlers = Mistakes::default();
    let handlers = module.items.iter().filter_map(|item| handler(item, &mut of_handlers));
    let mut handlers: Vec<Handler> = handlers.collect();
    let shadowing = scope::refuse_shadowing(&module.items, mistakes);
    for handler in &mut handlers {
        handler.has_struct &= !shadowing.contains(&handler.function.sig.ident);
    }
    if handlers.is_empty() {
        let mut message = "there is no handler in this module; put `#[action(\"…\")]`, `#[listen(\"…\")]`, `#[route(\"/…\")]`, \
             `#[socket(\"…\")]`, `#[on_start]` or `#[on_stop]` on a function that stands directly in it"
            .to_owned();
        if module.items.iter().any(ModuleItem::is_macro_call) {
            message.push_str(
                "; handlers that a macro call or an `include!` produces are not collected: let the macro write the whole \
                 `#[blueprint] mod`, or call it outside and collect what it writes with `blueprint_of!`",
            );
        }
        mistakes.on(&module.ident, message);
    }
    refuse_shared_names(&handlers, mistakes);
    let methods = handlers
        .iter()
        .enumerate()
        .filter(|_| has_caller || contract.is_some())
        .filter_map(|(at, handler)| Some((at, method(handler, has_caller, private, mistakes)?)));
    let methods = methods.collect();
    Blueprint {
        name,
        contract,
        module,
        handlers,
        handlers_are_sound: of_handlers.is_empty(),
        methods,
        shadowing,
        taken,
    }
}

pub(super) fn checked_blueprint_name(name: LitStr, mistakes: &mut Mistakes) -> LitStr {
    if let Err(reason) = names::check_text(&name.value()) {
        mistakes.on(&name, format!("this can't be the name of a blueprint: {reason}"));
    }
    name
}

fn handler(item: &ModuleItem, mistakes: &mut Mistakes) -> Option<Handler> {
    match item {
        ModuleItem::Handler(function) => Some(endpoint::validate(None, function.clone(), mistakes)),
        _ => None,
    }
}

/// Two functions under one name. Where a `cfg` may leave one of them out, the check is made when the service starts.
pub(super) fn refuse_shared_names(handlers: &[Handler], mistakes: &mut Mistakes) {
    let mut seen: Vec<(&str, String, &Handler)> = Vec::new();
    for handler in handlers {
        for (what, named) in handler.endpoints.iter().filter_map(exclusive_name) {
            let name = named.value();
            let first = seen.iter().find(|(kind, other, first)| {
                *kind == what && *other == name && first.name() != handler.name()
            });
            match first {
                Some((.., first)) if !is_conditional(first) && !is_conditional(handler) => {
                    let advice = if what == BINARY {
                        "leave one of the two out"
                    } else {
                        "give one of the two another name"
                    };
                    let first = first.name();
                    let message =
                        format!("the {what} `{name}` has a handler already, `fn {first}`; {advice}");
                    mistakes.on(named, message);
                }
                _ if name.is_empty() => {}
                _ => seen.push((what, name, handler)),
            }
        }
    }
}

/// What `#[socket_binary]` handles, which has no name of its own.
const BINARY: &str = "kind of frame";

/// What only one function can be: the action, the type of WebSocket message, the schedule or the thread of that name.
fn exclusive_name(endpoint: &Checked) -> Option<(&'static str, &LitStr)> {
    match endpoint {
        Checked::Action(action) => Some(("action", &action.name)),
        Checked::Socket(socket) => Some(("type of message", &socket.kind)),
        Checked::SocketBinary(socket) => Some((BINARY, &socket.kind)),
        Checked::Background(background) => Some(("schedule", &background.name)),
        Checked::Thread(thread) => Some(("thread", &thread.name)),
        Checked::Listen(_) | Checked::Route(_) | Checked::Hook(..) => None,
    }
}

fn is_conditional(handler: &Handler) -> bool {
    !cfgs(&handler.function.attrs).is_empty()
}

/// The caller's method for a handler that answers an action: one, for the first of its names.
pub(super) fn method(
    handler: &Handler,
    has_caller: bool,
    private: &Private,
    mistakes: &mut Mistakes,
) -> Option<Method> {
    let names: Vec<String> = handler.actions().map(|action| action.name.value()).collect();
    let action = handler.actions().next()?.clone();
    let function = &handler.function;
    if !handler.signature_is_sound {
        return None;
    }
    let ident = &function.sig.ident;
    if has_caller && stub::RESERVED_METHODS.iter().any(|taken| ident == taken) {
        let message = format!(
            "the blueprint's caller has a `{ident}` of its own; give the function another name: what it is called on the bus \
             stays `{}`",
            action.name.value()
        );
        mistakes.on(ident, message);
        return None;
    }
    let output = endpoint::output_of(&function.sig.output, private);
    if output.is_opaque && action.types.answer.is_none() {
        mistakes.on(
            &function.sig.output,
            format!(
                "a caller can't name this type; say what it gets: `#[action(\"{}\", answer = …)]`",
                action.name.value()
            ),
        );
        return None;
    }
    if let (true, None, ReturnType::Type(_, ty)) = (has_caller, &action.types.answer, &function.sig.output)
        && let Some(borrowed) = endpoint::reference_in(ty)
    {
        mistakes.on(
            borrowed,
            format!(
                "the typed caller can't receive a borrowed value; name the type that callers receive: \
                 `#[action(\"{}\", answer = String)]`, or generate no typed caller: `#[blueprint(\"…\", caller = false)]`",
                action.name.value()
            ),
        );
        return None;
    }
    let otherwise = format!("Calls the action `{}`.", action.name.value());
    let mut attrs = stub::attributes(&function.attrs, &otherwise);
    if let [first, others @ ..] = names.as_slice()
        && !others.is_empty()
    {
        let note = format!(
            "\nIts name on the bus is `{first}`; it answers to {} too.",
            crate::suggestion::list(others)
        );
        attrs.push(syn::parse_quote!(#[doc = #note]));
    }
    let is_result = match &action.types.answer {
        Some(_) => None,
        None => output.is_result(private),
    };
    let tokens = |ty: &syn::Type| ty.to_token_stream();
    let progress = handler.arguments.iter().find_map(endpoint::progress_of).map(tokens);
    let incoming = incoming(handler);
    let session = match (&action.workflow, output.stream, incoming) {
        (Some(WorkflowTypes { tell, ask }), ..) => {
            Some(SessionForm::Workflow { tell: tell.as_ref().map(tokens), ask: ask.as_ref().map(tokens) })
        }
        (None, Some(_), incoming) => Some(SessionForm::Streams { incoming }),
        (None, None, Some(incoming)) => Some(SessionForm::Takes { incoming }),
        (None, None, None) => None,
    };
    Some(Method {
        attrs,
        vis: function.vis.to_token_stream(),
        ident: ident.clone(),
        payload: payload(handler, action.types.payload.as_ref().map(tokens)),
        fields: Vec::new(),
        is_result,
        answer: action.types.answer.as_ref().map_or(output.answer, tokens),
        error: action.types.error.as_ref().map(tokens).or(output.error),
        progress: action.types.progress.as_ref().map(tokens).or(progress),
        idempotent: action.idempotent,
        session,
        action: action.name,
    })
}

/// The caller's stream by its spelling.
fn incoming(handler: &Handler) -> Option<Parameter> {
    handler.function.sig.inputs.iter().find_map(|argument| match argument {
        FnArg::Typed(argument) => {
            let item = endpoint::incoming_of(&argument.ty)?;
            let name = match stub::parameter_name(&argument.pat) {
                name if name == "payload" => Ident::new("items", proc_macro2::Span::mixed_site()),
                name => name,
            };
            Some(Parameter { name, ty: quote!(#item) })
        }
        FnArg::Receiver(_) => None,
    })
}

/// The payload by its spelling, or as `payload = T` has it.
fn payload(handler: &Handler, given: Option<TokenStream>) -> Option<Parameter> {
    let spelled = handler.function.sig.inputs.iter().find_map(|argument| match argument {
        FnArg::Typed(argument) => Some((argument, endpoint::payload_of(&argument.ty)?)),
        FnArg::Receiver(_) => None,
    });
    let name = match &spelled {
        Some((argument, _)) => stub::parameter_name(&argument.pat),
        None => Ident::new("payload", proc_macro2::Span::mixed_site()),
    };
    let ty = given.or_else(|| spelled.map(|(_, ty)| quote!(#ty)))?;
    Some(Parameter { name, ty })
}
