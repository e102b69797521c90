//! Arguments and trait → a checked contract.

use proc_macro2::Span;
use quote::ToTokens;
use syn::{Attribute, FnArg, ItemTrait, LitStr, Meta, Pat, PatType, ReturnType, TraitItem, TraitItemFn};

use super::actions::{ACTION, WORKFLOW, action, nameable, parameter, workflow};
use super::generated_names::names_of_event;
use super::model::{Contract, ContractAction, ContractEvent};
use super::parse::Declaration;
use crate::attr::{Arguments, checked_channel};
use crate::endpoint::{self, ReturnedStream};
use crate::mistakes::Mistakes;
use crate::names;
use crate::private::Private;
use crate::stub::{self, Parameter};

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
    Workflow,
    Event,
}

fn method_kind(attribute: &Attribute) -> Option<MethodKind> {
    let last = &attribute.path().segments.last()?.ident;
    match () {
        () if last == "action" => Some(MethodKind::Action),
        () if last == "workflow" => Some(MethodKind::Workflow),
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
    let arguments = signature(function, mistakes);
    let (streams, payload): (Vec<&PatType>, Vec<&PatType>) =
        arguments.into_iter().partition(|argument| endpoint::stream_item_of(&argument.ty).is_some());
    let payload = payload.as_slice();
    if let Some(second) = streams.get(1) {
        mistakes.on(second, "a caller sends one stream; make its items an enum");
    }
    let output = &function.sig.output;
    if let ReturnType::Type(_, ty) = output {
        match endpoint::output_of(output, private).stream {
            None => nameable(ty, &function.sig.generics, mistakes),
            Some(ReturnedStream::OfResults) => {}
            Some(ReturnedStream::OfOthers) => mistakes.on(
                ty,
                "the items of a stream are results, since a stream can fail at any time: `impl Stream<Item = Result<T, E>>`",
            ),
        }
    }
    let incoming = streams.first().and_then(|stream| {
        let ty = endpoint::stream_item_of(&stream.ty)?.to_token_stream();
        Some(Parameter { name: stub::parameter_name(&stream.pat), ty })
    });
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
            let payload = (&contract.item.ident, payload, incoming);
            let action = action(arguments, function, payload, private, mistakes);
            if is_sound {
                contract.actions.extend(same_action(action, contract, mistakes));
            }
        }
        MethodKind::Workflow => {
            let arguments = Arguments::read(arguments, "workflow", span, mistakes);
            if let Some(stream) = streams.first() {
                mistakes
                    .on(stream, format!("a workflow takes no stream; it asks for what it needs: {WORKFLOW}"));
            }
            let payload = (&contract.item.ident, payload, None);
            let action = workflow(arguments, function, payload, private, mistakes);
            if is_sound {
                contract.actions.extend(same_action(action, contract, mistakes));
            }
        }
        MethodKind::Event => {
            let arguments = Arguments::read(arguments, "event", span, mistakes);
            if let Some(stream) = streams.first() {
                mistakes.on(stream, "an event is one message; publish each item by itself");
                return;
            }
            let event = event(arguments, function, payload, mistakes);
            contract.events.extend(event.filter(|_| is_sound));
        }
    }
}

/// A second method for one action has the types of the first.
fn same_action(
    mut action: ContractAction,
    contract: &Contract,
    mistakes: &mut Mistakes,
) -> Option<ContractAction> {
    let name = action.method.action.value();
    let first = contract.actions.iter().find(|first| first.method.action.value() == name);
    let Some(first) = first.filter(|_| !name.is_empty()) else { return Some(action) };
    if action.sends_items_of(first) || first.sends_items_of(&action) {
        return Some(action);
    }
    let has_fields = !action.method.fields.is_empty() && !first.method.fields.is_empty();
    if has_fields {
        action.method.payload.clone_from(&first.method.payload);
    }
    if action.types() == first.types() {
        action.is_alias = true;
        return Some(action);
    }
    let message = format!(
        "`{name}` is the action of `fn {}` already, with other types; write the same types, or give one of the two \
         actions another name",
        first.method.ident
    );
    mistakes.on(&action.method.action, message);
    None
}

/// What no function of a contract has; and its arguments.
fn signature<'a>(function: &'a TraitItemFn, mistakes: &mut Mistakes) -> Vec<&'a PatType> {
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
    let mut arguments = Vec::new();
    for argument in &sig.inputs {
        match argument {
            FnArg::Receiver(receiver) => {
                mistakes.on(
                    receiver,
                    "a contract has no `self`: it says what travels, and nothing else does; leave it out",
                );
            }
            FnArg::Typed(argument) => {
                let ty = endpoint::stream_item_of(&argument.ty).unwrap_or(&argument.ty);
                nameable(ty, &sig.generics, mistakes);
                arguments.push(argument);
            }
        }
    }
    if arguments.len() > 1 {
        for argument in &arguments {
            if !matches!(&*argument.pat, Pat::Ident(_)) {
                mistakes.on(
                    &argument.pat,
                    "each of several arguments is a field of the payload and needs a name: `price: u32`",
                );
            }
        }
    }
    arguments
}

/// Names that the caller has already.
fn refuse_taken(function: &TraitItemFn, kind: &MethodKind, contract: &Contract, mistakes: &mut Mistakes) {
    let ident = &function.sig.ident;
    let stub = format!("{}Caller", contract.item.ident);
    if stub::RESERVED_METHODS.iter().any(|taken| ident == taken) {
        mistakes.on(ident, format!("`{stub}` has a `{ident}` of its own; give the function another name, the one on the bus stays"));
    }
    let methods = contract.actions.iter().map(|action| action.method.ident.to_string());
    let of_events = contract.events.iter().flat_map(|event| names_of_event(&event.ident));
    let taken: Vec<String> = methods.chain(of_events).collect();
    let new = match kind {
        MethodKind::Action | MethodKind::Workflow => vec![ident.to_string()],
        MethodKind::Event => names_of_event(ident).to_vec(),
    };
    if let Some(new) = new.iter().find(|new| taken.contains(new)) {
        mistakes.on(ident, format!("`{stub}` has `{new}` already; give the function another name"));
    }
}

fn event(
    mut arguments: Arguments,
    function: &TraitItemFn,
    payload: &[&PatType],
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
    let Some(payload) = payload.first() else {
        mistakes.on(&sig.ident, format!("an event says something: {EVENT}"));
        return None;
    };
    if let Some(second) = function.sig.inputs.iter().nth(1) {
        mistakes.on(second, "an event has one payload; put both arguments into one struct");
    }
    let otherwise =
        format!("Publishes on the channel `{}`; returns how many connections received it.", channel.value());
    Some(ContractEvent {
        attrs: stub::attributes(&function.attrs, &otherwise),
        ident: sig.ident.clone(),
        channel,
        payload: parameter(payload),
    })
}
