//! Arguments and trait → a checked contract.

use proc_macro2::Span;
use quote::{ToTokens, quote};
use syn::spanned::Spanned as _;
use syn::{
    Attribute, FnArg, Generics, Ident, ItemTrait, LitStr, Meta, PatType, ReturnType, TraitItem, TraitItemFn,
};

use super::model::{Contract, ContractAction, ContractEvent};
use super::parse::Declaration;
use crate::attr::{Arguments, checked_action_name, checked_channel};
use crate::endpoint;
use crate::mistakes::Mistakes;
use crate::names;
use crate::private::Private;
use crate::stub::{self, Method, Parameter};

const ACTION: &str =
    "`#[action(\"get_user\")] async fn get_user(query: GetUser) -> Result<User, UserError>;`";
const EVENT: &str = "`#[event(\"user_events\")] fn user_event(event: UserEvent);`";

pub(super) fn validate(
    mut arguments: Arguments,
    Declaration(mut item): Declaration,
    private: &Private,
    mistakes: &mut Mistakes,
) -> Contract {
    let service = arguments.name("the service", "\"user_service\"", mistakes);
    arguments.finish(mistakes);
    let service = service.inspect(|service| {
        if let Err(reason) = names::check_service(&service.value()) {
            mistakes.on(service, format!("this can't be the name of a service: {reason}"));
        }
    });
    declaration(&item, mistakes);
    let mut contract = Contract {
        service: service.unwrap_or_else(|| LitStr::new("", item.ident.span())),
        actions: Vec::new(),
        events: Vec::new(),
        item: item.clone(),
    };
    for item in &mut item.items {
        match item {
            TraitItem::Fn(function) => method(function, &mut contract, private, mistakes),
            other => {
                mistakes.on(other, format!("a contract consists of actions and events: {ACTION} or {EVENT}"));
            }
        }
    }
    if item.items.is_empty() {
        mistakes.on(&item.ident, format!("there is nothing in this contract; write {ACTION} or {EVENT}"));
    }
    contract.item = item;
    contract
}

/// The trait itself.
fn declaration(item: &ItemTrait, mistakes: &mut Mistakes) {
    let nobody = "nobody implements a contract, a blueprint offers it";
    if let Some(token) = &item.unsafety {
        mistakes.on(token, format!("{nobody}; leave out `unsafe`"));
    }
    if !item.generics.params.is_empty() {
        mistakes.on(&item.generics, "a contract names the types that travel; leave out the parameters");
    }
    if !item.supertraits.is_empty() {
        mistakes.on(&item.supertraits, format!("{nobody}; leave out what it asks of an implementor"));
    }
    if let Some(clause) = &item.generics.where_clause {
        mistakes.on(clause, format!("{nobody}; leave out the `where` clause"));
    }
}

/// One of our attributes on a method.
enum MethodKind {
    Action,
    Event,
}

fn method_kind(attribute: &Attribute) -> Option<MethodKind> {
    let last = &attribute.path().segments.last()?.ident;
    match () {
        () if last == "action" => Some(MethodKind::Action),
        () if last == "event" => Some(MethodKind::Event),
        () => None,
    }
}

/// Takes our attributes off a method and adds what they say to the contract.
fn method(function: &mut TraitItemFn, contract: &mut Contract, private: &Private, mistakes: &mut Mistakes) {
    let attrs = std::mem::take(&mut function.attrs);
    let mut ours = Vec::new();
    for attribute in attrs {
        match method_kind(&attribute) {
            Some(kind) => ours.push((kind, attribute)),
            None => function.attrs.push(attribute),
        }
    }
    let before = mistakes.len();
    let mut ours = ours.into_iter();
    let Some((kind, attribute)) = ours.next() else {
        mistakes
            .on(&function.sig.ident, format!("what is `{}`? Write {ACTION} or {EVENT}", function.sig.ident));
        return;
    };
    for (_, other) in ours {
        mistakes.on(other, "a function of a contract is one action or one event; write a second function");
    }
    let payload = signature(function, mistakes);
    let output = &function.sig.output;
    if let ReturnType::Type(_, ty) = output {
        nameable(ty, &function.sig.generics, mistakes);
    }
    refuse_taken(function, &kind, contract, mistakes);
    // Whatever is wrong with the attribute, the caller gets its method.
    let is_sound = mistakes.len() == before;
    let arguments = match &attribute.meta {
        Meta::List(list) => list.tokens.clone(),
        Meta::Path(_) => proc_macro2::TokenStream::new(),
        Meta::NameValue(_) => {
            mistakes.on(&attribute, "arguments go in parentheses");
            return;
        }
    };
    let span = attribute.path().segments.last().map_or_else(Span::call_site, |last| last.ident.span());
    match kind {
        MethodKind::Action => {
            let arguments = Arguments::read(arguments, "action", span, mistakes);
            let action = action(arguments, function, payload, private, mistakes);
            if is_sound {
                let name = action.method.action.value();
                let first = contract.actions.iter().find(|first| first.method.action.value() == name);
                if let Some(first) = first.filter(|_| !name.is_empty()) {
                    let message = format!(
                        "`{name}` is the name of `fn {}` already; give one of the two another",
                        first.method.ident
                    );
                    mistakes.on(&action.method.action, message);
                } else {
                    contract.actions.push(action);
                }
            }
        }
        MethodKind::Event => {
            let arguments = Arguments::read(arguments, "event", span, mistakes);
            let event = event(arguments, function, payload, mistakes);
            contract.events.extend(event.filter(|_| is_sound));
        }
    }
}

/// What no function of a contract has; and its payload.
fn signature<'a>(function: &'a TraitItemFn, mistakes: &mut Mistakes) -> Option<&'a PatType> {
    let sig = &function.sig;
    if let Some(body) = &function.default {
        mistakes
            .on(body, "a contract has no bodies, since what is done is the service's business; write `;`");
    }
    if !sig.generics.params.is_empty() {
        mistakes.on(&sig.generics, "a contract names the types that travel; leave out the parameters");
    }
    if let Some(clause) = &sig.generics.where_clause {
        mistakes
            .on(clause, "there is nothing to say about types that are named; leave out the `where` clause");
    }
    if let Some(abi) = &sig.abi {
        mistakes.on(abi, "leave out `extern`: this is called over the bus");
    }
    if let syn::Safety::Unsafe(token) = &sig.safety {
        mistakes.on(token, "leave out `unsafe`: this is called over the bus");
    }
    if let Some(cfg) = function.attrs.iter().find(|attribute| {
        let path = attribute.path();
        path.is_ident("cfg") || path.is_ident("cfg_attr")
    }) {
        mistakes.on(cfg, "a contract is the same on both sides, and a `cfg` may differ; put the function into a contract of its own");
    }
    let mut payload = None;
    for argument in &sig.inputs {
        match argument {
            FnArg::Receiver(receiver) => {
                mistakes.on(
                    receiver,
                    "a contract has no `self`: it says what travels, and nothing else does; leave it out",
                );
            }
            FnArg::Typed(_) if payload.is_some() => {
                mistakes.on(argument, "a message has one payload; put everything into one struct");
            }
            FnArg::Typed(argument) => {
                nameable(&argument.ty, &sig.generics, mistakes);
                payload = Some(argument);
            }
        }
    }
    payload
}

/// A type that can travel has a name and owns what is in it.
fn nameable(ty: &syn::Type, generics: &Generics, mistakes: &mut Mistakes) {
    if endpoint::contains_impl_trait(ty) {
        mistakes.on(ty, "`impl Trait` doesn't say what travels; write the type");
    } else if let Some(borrowed) = endpoint::borrow_in(ty, generics).or_else(|| endpoint::reference_in(ty)) {
        mistakes.on(borrowed, "what arrives on the other side borrows from nothing: write the owned type");
    }
}

/// Names that the caller has already.
fn refuse_taken(function: &TraitItemFn, kind: &MethodKind, contract: &Contract, mistakes: &mut Mistakes) {
    let ident = &function.sig.ident;
    let stub = format!("{}Caller", contract.item.ident);
    if stub::RESERVED_METHODS.iter().any(|taken| ident == taken) {
        mistakes.on(ident, format!("`{stub}` has a `{ident}` of its own; give the function another name, the one on the bus stays"));
    }
    let methods = contract.actions.iter().map(|action| action.method.ident.to_string());
    let methods: Vec<String> =
        methods.chain(contract.events.iter().map(|event| on(&event.ident).to_string())).collect();
    let new = match kind {
        MethodKind::Action => ident.to_string(),
        MethodKind::Event => on(ident).to_string(),
    };
    if methods.contains(&new) {
        mistakes.on(ident, format!("`{stub}` has a method `{new}` already; give the function another name"));
    }
}

/// `user_event` → `on_user_event`.
pub(super) fn on(event: &Ident) -> Ident {
    use syn::ext::IdentExt as _;
    quote::format_ident!("on_{}", event.unraw(), span = event.span())
}

fn action(
    mut arguments: Arguments,
    function: &TraitItemFn,
    payload: Option<&PatType>,
    private: &Private,
    mistakes: &mut Mistakes,
) -> ContractAction {
    let name = arguments.name("the action", "\"get_user\"", mistakes);
    let name = name.and_then(|name| checked_action_name(name, mistakes));
    let name = name.unwrap_or_else(|| LitStr::new("", arguments.span));
    let idempotent = arguments.flag("idempotent", mistakes);
    let progress = arguments.ty("progress", mistakes);
    arguments.finish(mistakes);
    let sig = &function.sig;
    if sig.asyncness.is_none() {
        mistakes.on(
            sig.fn_token,
            format!("an action is answered some time later: write `async fn`, as in {ACTION}"),
        );
    }
    if let Some(progress) = &progress {
        nameable(progress, &sig.generics, mistakes);
    }
    let output = endpoint::output_of(&sig.output, private);
    let otherwise = format!("Calls the action `{}`.", name.value());
    let progress_tokens = progress.as_ref().map(ToTokens::to_token_stream);
    let method = Method {
        attrs: stub::attributes(&function.attrs, &otherwise),
        vis: quote!(pub),
        ident: sig.ident.clone(),
        payload: payload.map(parameter),
        answer: output.answer.clone(),
        is_result: output.is_result(private),
        error: output.error.clone(),
        progress: progress_tokens,
        idempotent,
        action: name,
    };
    let signature = handler_signature(&method, sig, progress.as_ref());
    let output_span = if let ReturnType::Type(_, ty) = &sig.output { ty.span() } else { sig.ident.span() };
    ContractAction { method, signature, output, output_span }
}

fn parameter(payload: &PatType) -> Parameter {
    Parameter { name: stub::parameter_name(&payload.pat), ty: payload.ty.to_token_stream() }
}

/// What the handler of an action looks like.
fn handler_signature(method: &Method, sig: &syn::Signature, progress: Option<&syn::Type>) -> String {
    let mut arguments = Vec::new();
    if let Some(Parameter { name, ty }) = &method.payload {
        arguments.push(format!("Payload({name}): Payload<{}>", stub::shown(ty)));
    }
    if let Some(progress) = progress {
        arguments.push(format!("progress: Progress<{}>", stub::shown(progress)));
    }
    let output = match &sig.output {
        ReturnType::Default => String::new(),
        ReturnType::Type(_, ty) => format!(" -> {}", stub::shown(ty)),
    };
    format!(
        "#[action(\"{}\")] async fn {}({}){output}",
        method.action.value(),
        sig.ident,
        arguments.join(", ")
    )
}

fn event(
    mut arguments: Arguments,
    function: &TraitItemFn,
    payload: Option<&PatType>,
    mistakes: &mut Mistakes,
) -> Option<ContractEvent> {
    let arguments_span = arguments.span;
    let channel = arguments.name("the channel", "\"user_events\"", mistakes);
    arguments.finish(mistakes);
    let channel = channel.and_then(|channel| checked_channel(channel, mistakes));
    if let Some(channel) = channel.as_ref().filter(|channel| channel.value().contains(['*', '?', '['])) {
        mistakes.on(channel, "an event goes to one channel, and this is a pattern; write out the name");
    }
    let channel = channel.unwrap_or_else(|| LitStr::new("", arguments_span));
    let sig = &function.sig;
    if let Some(token) = &sig.asyncness {
        mistakes.on(token, format!("an event is announced, and nobody answers: write {EVENT}"));
    }
    if let ReturnType::Type(_, ty) = &sig.output {
        mistakes.on(ty, format!("an event has no answer; an action has: {ACTION}"));
    }
    let Some(payload) = payload else {
        mistakes.on(&sig.ident, format!("an event says something: {EVENT}"));
        return None;
    };
    let otherwise =
        format!("Publishes on the channel `{}`; returns how many connections received it.", channel.value());
    Some(ContractEvent {
        attrs: stub::attributes(&function.attrs, &otherwise),
        ident: sig.ident.clone(),
        channel,
        payload: parameter(payload),
    })
}
