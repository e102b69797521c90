//! One action or workflow of a contract.

use proc_macro2::Span;
use quote::{ToTokens, quote};
use syn::spanned::Spanned as _;
use syn::{Generics, Ident, LitStr, PatType, ReturnType, TraitItemFn};

use super::generated_names::payload_name;
use super::model::ContractAction;
use crate::attr::{Arguments, WorkflowTypes, checked_action_name};
use crate::endpoint;
use crate::mistakes::Mistakes;
use crate::private::Private;
use crate::stub::{self, Method, Parameter, SessionForm};

pub(super) const ACTION: &str =
    "`#[action(\"get_user\")] async fn get_user(query: GetUser) -> Result<User, UserError>;`";
const EACH: &str =
    "`#[action(\"add_item\", each)] async fn add_many_items(items: impl Stream<Item = String>);`";
pub(super) const WORKFLOW: &str =
    "`#[workflow(\"connect_wifi\")] async fn connect_wifi(wifi: Wifi) -> Result<Connected, WifiError>;`";
pub(super) fn action(
    mut arguments: Arguments,
    function: &TraitItemFn,
    (contract, payload, incoming): (&Ident, &[&PatType], Option<Parameter>),
    private: &Private,
    mistakes: &mut Mistakes,
) -> ContractAction {
    let name = arguments.name("the action", "\"get_user\"", mistakes);
    let idempotent = arguments.flag("idempotent", mistakes);
    let is_each = arguments.flag("each", mistakes);
    let progress = arguments.ty("progress", mistakes);
    let returns_stream = endpoint::output_of(&function.sig.output, private).stream.is_some();
    if is_each && (incoming.is_none() || !payload.is_empty() || returns_stream) {
        mistakes.on(&function.sig.ident, format!("`each` sends the items of one stream: {EACH}"));
    }
    let session = match incoming {
        Some(items) if is_each => Some(SessionForm::Each { items }),
        incoming if returns_stream => Some(SessionForm::Streams { incoming }),
        Some(incoming) => Some(SessionForm::Takes { incoming }),
        None => None,
    };
    let mut action =
        described(arguments, function, (contract, payload), (name, progress, session), private, mistakes);
    action.method.idempotent = idempotent;
    // It is a second way to call an ordinary action, which a blueprint has under its own name.
    action.is_alias = is_each;
    action
}

pub(super) fn workflow(
    mut arguments: Arguments,
    function: &TraitItemFn,
    (contract, payload, _): (&Ident, &[&PatType], Option<Parameter>),
    private: &Private,
    mistakes: &mut Mistakes,
) -> ContractAction {
    let name = arguments.name("the workflow", "\"connect_wifi\"", mistakes);
    let WorkflowTypes { tell, ask } = WorkflowTypes::take(&mut arguments, mistakes);
    for ty in [&tell, &ask].into_iter().flatten() {
        nameable(ty, &function.sig.generics, mistakes);
    }
    if endpoint::output_of(&function.sig.output, private).stream.is_some() {
        mistakes.on(&function.sig.output, format!("a workflow returns one answer: {WORKFLOW}"));
    }
    let tokens = |ty: &syn::Type| ty.to_token_stream();
    let form = SessionForm::Workflow { tell: tell.as_ref().map(tokens), ask: ask.as_ref().map(tokens) };
    described(arguments, function, (contract, payload), (name, None, Some(form)), private, mistakes)
}

/// The rest of an action or a workflow.
fn described(
    mut arguments: Arguments,
    function: &TraitItemFn,
    (contract, payload): (&Ident, &[&PatType]),
    (name, progress, session): (Option<LitStr>, Option<syn::Type>, Option<SessionForm>),
    private: &Private,
    mistakes: &mut Mistakes,
) -> ContractAction {
    let name = name.and_then(|name| checked_action_name(name, mistakes));
    let name = name.unwrap_or_else(|| LitStr::new("", arguments.span));
    let answer = arguments.ty("answer", mistakes);
    let error = arguments.ty("error", mistakes);
    arguments.finish(mistakes);
    let sig = &function.sig;
    if sig.asyncness.is_none() {
        mistakes.on(
            sig.fn_token,
            format!("an action is answered some time later: write `async fn`, as in {ACTION}"),
        );
    }
    for ty in [&progress, &answer, &error].into_iter().flatten() {
        nameable(ty, &sig.generics, mistakes);
    }
    let output = endpoint::output_of(&sig.output, private);
    let otherwise = format!("Calls the action `{}`.", name.value());
    let progress_tokens = progress.as_ref().map(ToTokens::to_token_stream);
    let method = Method {
        attrs: stub::attributes(&function.attrs, &otherwise),
        vis: quote!(pub),
        ident: sig.ident.clone(),
        payload: match payload {
            [] => None,
            [only] => Some(parameter(only)),
            _ => Some(several(contract, sig)),
        },
        fields: match payload {
            [_, _, ..] => payload.iter().map(|field| parameter(field)).collect(),
            _ => Vec::new(),
        },
        answer: answer.as_ref().map_or_else(|| output.answer.clone(), ToTokens::to_token_stream),
        is_result: if answer.is_some() { None } else { output.is_result(private) },
        error: error.as_ref().map(ToTokens::to_token_stream).or_else(|| output.error.clone()),
        progress: progress_tokens,
        idempotent: false,
        session,
        action: name,
    };
    let signature = handler_signature(&method, sig, progress.as_ref());
    let output_span = if let ReturnType::Type(_, ty) = &sig.output { ty.span() } else { sig.ident.span() };
    ContractAction { method, is_alias: false, has_answer: answer.is_some(), signature, output, output_span }
}

/// The payload of an action with several arguments.
fn several(contract: &Ident, sig: &syn::Signature) -> Parameter {
    let ty = payload_name(contract, &sig.ident).into_token_stream();
    Parameter { name: Ident::new("payload", Span::mixed_site()), ty }
}

pub(super) fn parameter(payload: &PatType) -> Parameter {
    Parameter { name: stub::parameter_name(&payload.pat), ty: payload.ty.to_token_stream() }
}

/// What the handler of an action looks like.
fn handler_signature(method: &Method, sig: &syn::Signature, progress: Option<&syn::Type>) -> String {
    let mut arguments = Vec::new();
    if let Some(Parameter { name, ty }) = &method.payload {
        let fields: Vec<String> = method.fields.iter().map(|field| field.name.to_string()).collect();
        let pattern = match fields.as_slice() {
            [] => name.to_string(),
            fields => format!("{} {{ {} }}", stub::shown(ty), fields.join(", ")),
        };
        arguments.push(format!("Payload({pattern}): Payload<{}>", stub::shown(ty)));
    }
    let incoming = match &method.session {
        Some(SessionForm::Streams { incoming: Some(incoming) } | SessionForm::Takes { incoming }) => {
            Some(incoming)
        }
        _ => None,
    };
    if let Some(Parameter { name, ty }) = incoming {
        arguments.push(format!("{name}: Incoming<{}>", stub::shown(ty)));
    }
    let is_workflow = matches!(method.session, Some(SessionForm::Workflow { .. }));
    if is_workflow {
        arguments.push("mut dialog: Dialog".to_owned());
    }
    if let Some(progress) = progress {
        arguments.push(format!("progress: Progress<{}>", stub::shown(progress)));
    }
    let output = match &sig.output {
        ReturnType::Default => String::new(),
        ReturnType::Type(_, ty) => format!(" -> {}", stub::shown(ty)),
    };
    let attribute = if is_workflow { "workflow" } else { "action" };
    format!(
        "#[{attribute}(\"{}\")] async fn {}({}){output}",
        method.action.value(),
        sig.ident,
        arguments.join(", ")
    )
}

/// Reports a type that a message can't have: one without a name, or one that borrows.
pub(super) fn nameable(ty: &syn::Type, generics: &Generics, mistakes: &mut Mistakes) {
    if endpoint::contains_impl_trait(ty) {
        mistakes.on(ty, "`impl Trait` doesn't say what travels; write the type");
    } else if let Some(borrowed) = endpoint::borrow_in(ty, generics).or_else(|| endpoint::reference_in(ty)) {
        mistakes.on(borrowed, "what arrives on the other side borrows from nothing: write the owned type");
    }
}
